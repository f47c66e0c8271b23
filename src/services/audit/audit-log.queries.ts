import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { platformChainId } from '../../domain/audit/audit-entry.ts';
import type { AuditAction, AuditOutcome, AuditPrivate, AuditRecord } from '../../domain/audit/audit-entry.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { partKeys } from '../../platform/audit/audit-person-keys.ts';
import { openedPrivate } from '../../platform/audit/audit-seal.ts';
import { read } from '../../platform/database/read.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { chainScope } from './audit-chain.queries.ts';

/** What lists and exports of audit entries can be narrowed by (S2-29, S2-74). What is left out does not narrow them. */
export interface AuditFilters {
  /** Who did it. */
  readonly user_id?: string | undefined;
  readonly event?: string | undefined;
  readonly action?: AuditAction | undefined;
  readonly resource_type?: string | undefined;
  readonly resource_id?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
  readonly request_id?: string | undefined;
  /** RFC 3339; not before this time. */
  readonly from?: string | undefined;
  /** RFC 3339; before this time. */
  readonly to?: string | undefined;
}

/**
 * The chain that a caller asks for: that of the own tenant, or the platform's.
 *
 * @throws Problem `auth.forbidden` when someone else than the staff that runs the platform asks for the platform's
 *   chain.
 */
export function chainOf(actor: Actor, chain: 'tenant' | 'platform'): string {
  if (chain === 'tenant') return actor.tenant_id;
  if (actor.tenant_id !== defaultTenantId) {
    throw new Problem({
      code: 'auth.forbidden',
      detail: 'The chain of the platform is for the staff of the default tenant.',
    });
  }
  return platformChainId;
}

/** Rows of a chain that pass the filters. */
export function filteredEntriesQuery(chainId: string, { from, to, ...equal }: AuditFilters) {
  let entries = kysely.selectFrom('audit_logs').where('chain_id', '=', chainId).where((eb) => eb.and(equal));
  if (from !== undefined) entries = entries.where('occurred_at', '>=', from);
  if (to !== undefined) entries = entries.where('occurred_at', '<', to);
  return entries;
}

/** The columns of a list; `entry` is what is chained, and what is displayed is taken from it. */
const listColumns = ['id', 'seq', 'recorded_at', 'entry', 'ip', 'user_agent', 'entry_hash', 'chain_hash'] as const;

/** The sealed part with address and agent, in the form of a private part; null where nothing is sealed. */
const sealedOrigin = sql<string | null>`(
  select json_build_object('sealed', json_agg(part))::text from json_array_elements(private -> 'sealed') part
  where part ->> 'holds' = 'origin' having count(*) > 0
)`;

type Deps = Pick<ProcessDeps, 'db'>;

/** A page of the entries that pass the filters, newest first, with one row more than `limit`. */
export async function listEntries(
  deps: Deps,
  chainId: string,
  filters: AuditFilters,
  { before, limit }: { readonly before: number | null; readonly limit: number },
) {
  const page = filteredEntriesQuery(chainId, filters)
    .$call((q) => (before === null ? q : q.where('seq', '<', before)))
    .orderBy('seq', 'desc')
    .limit(limit + 1)
    .select(listColumns)
    .select(sealedOrigin.as('private'));
  return openRows(deps, chainId, await read(deps.db, chainScope(chainId), page));
}

/**
 * A page of the entries about some resources with the values of these and who did it, newest first, with one row more than `limit`.
 * Each resource is looked for by itself, so that the index gives its newest entries, however many there are of others. For
 * {@link openEntriesAbout}.
 *
 * @param resources a query of `resource_type` and `resource_id`, both texts.
 * @param listing `leftOut` is the beginning of the names of events that are not wanted.
 */
export function entriesAboutQuery(
  chainId: string,
  resources: RawBuilder<unknown>,
  { before, limit, leftOut, ...filters }: AuditFilters & { readonly before: number | null; readonly limit: number; readonly leftOut?: string | undefined },
) {
  const entries = filteredEntriesQuery(chainId, filters)
    .$call((q) => (before === null ? q : q.where('seq', '<', before)))
    .$call((q) => (leftOut === undefined ? q : q.where(sql<boolean>`not starts_with(event, ${leftOut})`)))
    .where('resource_type', '=', sql.ref<string>('r.resource_type'))
    .where('resource_id', '=', sql.ref<string>('r.resource_id'))
    .orderBy('seq', 'desc')
    .limit(limit + 1)
    .select(['id', 'seq', 'entry', 'old_values', 'new_values', 'user_id', sql<string | null>`private::text`.as('private')]);
  return kysely
    .selectFrom(sql<{ resource_type: string; resource_id: string }>`(${resources})`.as<'r'>(sql.ref('r')))
    .innerJoinLateral(entries.as('e'), (join) => join.onTrue())
    .leftJoin('users as u', 'u.id', 'e.user_id')
    .orderBy('e.seq', 'desc')
    .limit(limit + 1)
    .select(['e.id', 'e.seq', 'e.entry', 'e.old_values', 'e.new_values', 'e.private', 'u.full_name as user_name']);
}

/** Entries that are read at a time where all of them are wanted. */
const entriesAtOnce = 500;

type EntryAbout = Awaited<ReturnType<ReturnType<typeof entriesAboutQuery>['executeTakeFirstOrThrow']>>;

/** All entries about some resources, oldest first, as {@link openEntriesAbout} gives them. @param resources as of {@link entriesAboutQuery} */
export async function allEntriesAbout(deps: Deps, chainId: string, resources: RawBuilder<unknown>) {
  const found: Awaited<ReturnType<typeof openEntriesAbout>> = [];
  for (let before: number | null = null, isLast = false; !isLast; before = found.at(-1)?.seq ?? null) {
    const rows: EntryAbout[] = await read(deps.db, chainScope(chainId), entriesAboutQuery(chainId, resources, { before, limit: entriesAtOnce }));
    found.push(...(await openEntriesAbout(deps, chainId, rows.slice(0, entriesAtOnce))));
    isLast = rows.length <= entriesAtOnce;
  }
  return found.toReversed();
}

/** Opens the values of {@link entriesAboutQuery}; `values_erased` where they were about a person whose key is destroyed. */
export async function openEntriesAbout(deps: Deps, chainId: string, rows: readonly EntryAbout[]) {
  const opened = await openRows(deps, chainId, rows);
  return opened.map(({ entry, private: hidden, ...row }) => ({
    ...row,
    entry: entry as AuditRecord,
    values_erased: row.old_values === null && row.new_values === null && hasSealedValues(hidden),
  }));
}

function hasSealedValues(hidden: string | null): boolean {
  return hidden !== null && ((JSON.parse(hidden) as AuditPrivate).sealed ?? []).some(({ holds }) => holds === 'values');
}

/** One entry with the texts that are hashed and all that is kept of it. @throws Problem `resource.not-found` */
export async function findEntry(deps: Deps, chainId: string, id: string) {
  const entry = kysely
    .selectFrom('audit_logs')
    .where('chain_id', '=', chainId)
    .where('id', '=', id)
    .select([...listColumns, 'old_values', 'new_values'])
    .select([
      sql<string>`entry::text`.as('entry_text'),
      sql<string | null>`private::text`.as('private'),
      sql<string[] | null>`(select s.permissions from audit_permission_sets s
        where s.chain_id = audit_logs.chain_id and s.digest = entry #>> '{actor,permissions_digest}')`.as('permissions'),
    ]);
  const [row] = await openRows(deps, chainId, await read(deps.db, chainScope(chainId), entry));
  if (row === undefined) throw notFound('audit entry');
  return row;
}

/** Opens the sealed parts of some rows; those of an erased person stay null. */
async function openRows<Row extends { readonly id: string; readonly private: string | null }>(
  { db }: Deps,
  chainId: string,
  rows: readonly Row[],
): Promise<(Row & Partial<AuditPrivate>)[]> {
  const keys = await partKeys(db, chainId, rows);
  return rows.map((row, place) => {
    if (row.private === null || keys[place]?.length === 0) return row;
    const { salt: _salt, ...opened } = openedPrivate(JSON.parse(row.private) as AuditPrivate, keys[place] ?? []);
    return { ...row, ...opened };
  });
}

/** A row as the list query gives it. */
interface ListedRow {
  readonly seq: number;
  readonly recorded_at: string;
  readonly entry: unknown;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly entry_hash: Uint8Array;
  readonly chain_hash: Uint8Array;
}

/** A row as it is presented. The only writer of `entry` is `platform/audit/audit-append.ts`. */
export function presentEntry({ entry, ip, user_agent, entry_hash, chain_hash, seq, recorded_at }: ListedRow) {
  const { actor, v: version, private_digest: privateDigest, ...facts } = entry as AuditRecord;
  return {
    ...facts,
    seq,
    recorded_at,
    user_id: actor.user_id,
    actor_kind: actor.kind,
    roles: actor.roles,
    permissions_digest: actor.permissions_digest,
    ip,
    user_agent,
    format_version: version,
    private_digest: privateDigest,
    entry_hash: Buffer.from(entry_hash).toString('hex'),
    chain_hash: Buffer.from(chain_hash).toString('hex'),
  };
}
