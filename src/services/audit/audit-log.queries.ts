import { sql } from 'kysely';
import { z } from 'zod';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { auditActions, auditOutcomes, platformChainId } from '../../domain/audit/audit-entry.ts';
import type { AuditPrivate, AuditRecord } from '../../domain/audit/audit-entry.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { partKeys } from '../../platform/audit/audit-person-keys.ts';
import { openedPrivate } from '../../platform/audit/audit-seal.ts';
import { Problem } from '../../platform/problem.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { timestampInput } from '../../platform/value-schemas.ts';

/** What lists and exports of audit entries can be narrowed by (S2-29, S2-74). */
export const auditFilters = {
  user_id: z.uuid().optional().describe('Who did it'),
  event: z.string().max(100).optional().describe('The exact deed, e.g. `flag.toggle`'),
  action: z.enum(auditActions).optional().describe('The kind of deed'),
  resource_type: z.string().max(100).optional(),
  resource_id: z.string().max(512).optional(),
  outcome: z.enum(auditOutcomes).optional(),
  request_id: z.string().max(100).optional(),
  from: timestampInput.optional().describe('Not before this moment'),
  to: timestampInput.optional().describe('Before this moment'),
};

/** Filters as they arrive. */
export type AuditFilters = z.infer<z.ZodObject<typeof auditFilters>>;

/** Which chain is looked at; the platform's own is for the staff of the tenant that runs the platform. */
export const chainParam = {
  chain: z.enum(['tenant', 'platform']).default('tenant').describe('`platform`: the chain of what belongs to no tenant'),
};

/** @throws Problem `auth.forbidden` when someone else asks for the platform's chain */
export function chainOf(actor: Actor, chain: 'tenant' | 'platform'): string {
  if (chain === 'tenant') return actor.tenant_id;
  if (actor.tenant_id !== defaultTenantId) {
    throw new Problem({ code: 'auth.forbidden', detail: 'The chain of the platform is for the staff that runs it.' });
  }
  return platformChainId;
}

/** In whose name a chain is read: sessions see the chain that their tenant setting names. */
export function chainScope(chainId: string): ReadScope {
  return { tenant_id: chainId, user_id: null };
}

/** Rows of a chain that pass the filters. */
export function filteredEntries(chainId: string, filters: AuditFilters) {
  let entries = kysely.selectFrom('audit_logs').where('chain_id', '=', chainId);
  for (const column of equalityFilters) {
    const value = filters[column];
    if (value !== undefined) entries = entries.where(column, '=', value);
  }
  if (filters.from !== undefined) entries = entries.where('occurred_at', '>=', filters.from);
  if (filters.to !== undefined) entries = entries.where('occurred_at', '<', filters.to);
  return entries;
}

const equalityFilters = [
  'user_id',
  'event',
  'action',
  'resource_type',
  'resource_id',
  'outcome',
  'request_id',
] as const satisfies (keyof AuditFilters)[];

/** The columns of a list; `entry` is what is chained, and what is shown is taken from it. */
export const listColumns = ['id', 'seq', 'recorded_at', 'entry', 'ip', 'user_agent', 'entry_hash', 'chain_hash'] as const;

/** The sealed part that says from where it was done, in the form of a private part; null where nothing is sealed. */
export const sealedOrigin = sql<string | null>`(
  select json_build_object('sealed', json_agg(part))::text from json_array_elements(private -> 'sealed') part
  where part ->> 'holds' = 'origin' having count(*) > 0
)`;

/** Opens what is sealed about persons in some rows; what was about an erased person stays null. */
export async function openRows<Row extends { readonly id: string; readonly private: string | null }>(
  { db }: Pick<ProcessDeps, 'db'>,
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
export interface ListedRow {
  readonly seq: number;
  readonly recorded_at: string;
  readonly entry: unknown;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly entry_hash: Uint8Array;
  readonly chain_hash: Uint8Array;
}

/** A row as people see it. The form of `entry` is that of the one writer, `platform/audit.ts`. */
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
