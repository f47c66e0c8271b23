import { sql } from 'kysely';
import { historyValues, titleOf } from '../../domain/client-record/client-history.ts';
import type { AuditAction } from '../../domain/audit/audit-entry.ts';
import { can } from '../../domain/identity/access.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { numberPosition, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { readAll } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { dataRequestEvents } from './data-request/client-data-request-audit.service.ts';
import { entriesAboutQuery, openEntriesAbout } from '../audit/audit-log.queries.ts';

/** Which entries of a history are asked for; what is undefined does not narrow it. */
export interface HistoryFilter {
  /** RFC 3339; not before this time. */
  readonly from?: string | undefined;
  /** RFC 3339; before this time. */
  readonly to?: string | undefined;
  readonly action?: AuditAction | undefined;
}

/**
 * A page of what the audit has of a client, of those that were merged into it and of the file that it came with, newest first. What
 * clients have asked about their data is for those who answer it.
 *
 * @throws Problem 404, `request.cursor-invalid`.
 */
export async function loadClientHistory(deps: Pick<ProcessDeps, 'db'>, actor: Actor, id: string, { limit, cursor, ...filter }: HistoryFilter & Page) {
  const position = parseCursor(cursor, numberPosition)?.[0];
  const before = position === undefined ? null : Number(position);
  const client = kysely.selectFrom('clients').where('id', '=', id).select('id');
  const leftOut = can(actor, 'client:answer-request').allowed ? undefined : dataRequestEvents;
  const entries = entriesAboutQuery(actor.tenant_id, resourcesOf(id), { ...filter, before, limit, leftOut });
  const [[found], rows] = await readAll(deps.db, actor, [client, entries] as const);
  if (found === undefined) throw notFound('client');
  const opened = await openEntriesAbout(deps, actor.tenant_id, rows);
  return toPage(opened, limit, ({ seq }) => [String(seq), ''], presentEntry);
}

const resourcesOf = (id: string) => sql`
  select 'client'::text as resource_type, id::text as resource_id from clients where id = ${id}::uuid or merged_into_id = ${id}::uuid
  union all
  select 'client_import', import_id::text from clients where id = ${id}::uuid and import_id is not null`;

type Row = Awaited<ReturnType<typeof openEntriesAbout>>[number];

/** Values that are about no single client, such as the counts of an import, are no changes of one. */
function presentEntry({ id, seq, entry, old_values, new_values, user_name, values_erased }: Row) {
  const { occurred_at, event, action, resource_type, resource_id, outcome, reason, actor } = entry;
  const values = historyValues({ action: resource_type === 'client' ? action : 'read', old_values, new_values });
  return {
    id,
    seq,
    occurred_at,
    event,
    title: titleOf(event),
    action,
    resource_type,
    resource_id,
    outcome,
    reason,
    user_id: actor.user_id,
    user_name,
    ...values,
    values_erased,
  };
}
