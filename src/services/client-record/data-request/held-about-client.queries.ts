import { sql } from 'kysely';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope } from '../../../platform/database/read.ts';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { allEntriesAbout } from '../../audit/audit-log.queries.ts';
import type { DataRequestKind } from '../../../domain/client-record/data-request.ts';

type Deps = Pick<ProcessDeps, 'db'>;

/** One thing that is held, as plain values by field. */
export type HeldRow = Readonly<Record<string, unknown>>;

/** A part of what is held about a client. */
interface HeldPart {
  /** As the file names it, e.g. `record`. */
  readonly name: string;
  /** Its heading for people. */
  readonly title: string;
  /** Everything of it, in full: the person asks for it. Nothing about staff but their roles. @param clientIds see {@link clientIds} */
  readonly rows: (deps: Deps, scope: ReadScope, clientIds: readonly string[]) => Promise<readonly HeldRow[]>;
}

const record: HeldPart = {
  name: 'record',
  title: 'Client record',
  rows: ({ db }, scope, ids) =>
    read(
      db,
      scope,
      kysely
        .selectFrom('clients')
        .where('id', 'in', ids)
        .orderBy(sql`merged_into_id is not null`)
        .orderBy('id')
        .select(['id', 'kind', 'name', 'cpf', 'cnpj', 'birth_date', 'email', 'phone_number', 'address', 'contact_id', 'prospect_id'])
        .select(['merged_into_id', 'created_at', 'updated_at', 'deleted_at']),
    ),
};

const contact: HeldPart = {
  name: 'contact',
  title: 'Contact that the record is linked to',
  rows: ({ db }, scope, ids) =>
    read(
      db,
      scope,
      kysely
        .selectFrom('contacts')
        .where('id', 'in', kysely.selectFrom('clients').where('id', 'in', ids).where('contact_id', 'is not', null).select('contact_id'))
        .orderBy('id')
        .select(['id', 'name', 'email', 'phone_number', 'company', 'source', 'notes', 'created_at', 'updated_at', 'deleted_at']),
    ),
};

const prospect: HeldPart = {
  name: 'prospect',
  title: 'Prospect that the record is linked to',
  rows: ({ db }, scope, ids) =>
    read(
      db,
      scope,
      kysely
        .selectFrom('admin_prospects')
        .where('id', 'in', kysely.selectFrom('clients').where('id', 'in', ids).where('prospect_id', 'is not', null).select('prospect_id'))
        .orderBy('id')
        .select(['id', 'name', 'company', 'email', 'phone', 'source', 'value_minor', 'currency', 'probability', 'status', 'lost_reason'])
        .select(['next_activity_at', 'created_at', 'updated_at', 'deleted_at']),
    ),
};

const requests: HeldPart = {
  name: 'requests',
  title: 'Requests about the data',
  rows: ({ db }, scope, ids) =>
    read(
      db,
      scope,
      kysely
        .selectFrom('client_data_requests')
        .where('client_id', 'in', ids)
        .orderBy('created_at')
        .orderBy('id')
        .select(['id', 'kind', 'status', 'received_on', 'due_on', 'note', 'refusal_reason', 'fulfilled_at', 'created_at']),
    ),
};

/** What merges replaced is kept for a while, to undo them. */
const merges: HeldPart = {
  name: 'merges',
  title: 'Records that were merged, and what the merges replaced',
  rows: ({ db }, scope, ids) =>
    read(
      db,
      scope,
      kysely
        .selectFrom('client_merges')
        .where((eb) => eb.or([eb('client_id', 'in', ids), eb('merged_id', 'in', ids)]))
        .orderBy('created_at')
        .orderBy('id')
        .select(['id', 'client_id', 'merged_id', 'taken_fields', 'former_values', 'created_at', 'undo_until', 'undone_at']),
    ),
};

/**
 * What was read and changed, and when, out of the audit log, with the values before and after as the log has them: a CPF is redacted
 * in it. Of staff it names the roles, because the file goes to the client and their own data do not.
 */
const history: HeldPart = {
  name: 'history',
  title: 'History',
  rows: async (deps, scope, ids) => {
    const entries = await allEntriesAbout(deps, scope.tenant_id, sql`select 'client' as resource_type, unnest(${ids}::text[]) as resource_id`);
    return entries.map(({ entry: { occurred_at, event, outcome, actor }, old_values, new_values }) => ({
      at: occurred_at,
      event,
      outcome,
      by: actor.kind === 'user' ? actor.roles : [actor.kind],
      before: old_values,
      after: new_values,
    }));
  },
};

/** Everything that is held about a client. An area that holds more adds its own part here, and says what an erasure does to it. */
export const heldAbout: readonly HeldPart[] = [record, merges, contact, prospect, requests, history];

/** The client and the ones that were merged into it, also by way of another one: they are the same person. */
export function clientIds(clientId: string) {
  const ids = sql<{ id: string }>`
    with recursive merged (id) as (
      select ${clientId}::uuid union select c.id from clients c join merged m on c.merged_into_id = m.id
    ) select id from merged`;
  return { compile: () => ids.compile(kysely) };
}

/** A file of everything that is held about a client. */
export interface HeldFile {
  readonly made_at: string;
  readonly held_by: string;
  /** IANA name of the zone in which its times are shown to people. */
  readonly time_zone: string;
  readonly request: { readonly id: string; readonly kind: DataRequestKind; readonly received_on: string };
  readonly client_id: string;
  readonly parts: readonly { readonly name: string; readonly title: string; readonly rows: readonly HeldRow[] }[];
}

/** Collects everything that is held about a client. @param madeAt RFC 3339 */
export async function collectHeld(
  deps: Deps,
  scope: ReadScope,
  { id, kind, received_on, client_id }: { readonly id: string; readonly kind: DataRequestKind; readonly received_on: string; readonly client_id: string },
  madeAt: string,
): Promise<HeldFile> {
  const tenants = kysely.selectFrom('tenants').where('id', '=', scope.tenant_id).select(['name', 'time_zone']);
  const [tenant] = await read(deps.db, scope, tenants);
  const ids = (await read(deps.db, scope, clientIds(client_id))).map((row) => row.id);
  const parts = [];
  for (const { name, title, rows } of heldAbout) parts.push({ name, title, rows: await rows(deps, scope, ids) });
  return {
    made_at: madeAt,
    held_by: tenant?.name ?? '',
    time_zone: tenant?.time_zone ?? 'UTC',
    request: { id, kind, received_on },
    client_id,
    parts,
  };
}
