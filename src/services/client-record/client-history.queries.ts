import { historyValues, titleOf } from '../../domain/client-record/client-history.ts';
import type { AuditAction } from '../../domain/audit/audit-entry.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { numberPosition, parseCursor, toPage } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { listEntriesAbout } from '../audit/audit-log.queries.ts';
import { userNames } from '../identity/user-names.queries.ts';

/** Which entries of a history are asked for; what is undefined does not narrow it. */
export interface HistoryFilter {
  /** RFC 3339; not before this time. */
  readonly from?: string | undefined;
  /** RFC 3339; before this time. */
  readonly to?: string | undefined;
  readonly action?: AuditAction | undefined;
}

/**
 * A page of what the audit has of a client, of those that were merged into it and of the file that it came with, newest first.
 *
 * @throws Problem 404, `request.cursor-invalid`.
 */
export async function loadClientHistory(deps: Pick<ProcessDeps, 'db'>, actor: Actor, id: string, { limit, cursor, ...filter }: HistoryFilter & Page) {
  const position = parseCursor(cursor, numberPosition)?.[0];
  const records = await read(
    deps.db,
    actor,
    kysely
      .selectFrom('clients')
      .where((eb) => eb.or([eb('id', '=', id), eb('merged_into_id', '=', id)]))
      .select(['id', 'import_id']),
  );
  const own = records.find((record) => record.id === id);
  if (own === undefined) throw notFound('client');
  const resources = records.map((record) => ({ resource_type: 'client', resource_id: record.id }));
  if (own.import_id !== null) resources.push({ resource_type: 'client_import', resource_id: own.import_id });
  const before = position === undefined ? null : Number(position);
  const rows = await listEntriesAbout(deps, actor.tenant_id, resources, { ...filter, before, limit });
  const names = await userNames(deps.db, actor, rows.flatMap(({ entry }) => entry.actor.user_id ?? []));
  return toPage(rows, limit, ({ seq }) => [String(seq), ''], (row) => presentEntry(row, names));
}

type Row = Awaited<ReturnType<typeof listEntriesAbout>>[number];

/** Values that are about no single client, such as the counts of an import, are no changes of one. */
function presentEntry({ id, seq, entry, old_values, new_values, values_erased }: Row, names: ReadonlyMap<string, string>) {
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
    user_name: actor.user_id === null ? null : (names.get(actor.user_id) ?? null),
    ...values,
    values_erased,
  };
}
