import { sql } from 'kysely';
import { maxSegmentRows, segmentStep } from '../../domain/audit/audit-retention.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import { chainScope } from './audit-chain.queries.ts';

/** What the regular verifications of a chain have found, for a page. */
export function verificationsQuery(chainId: string) {
  return kysely.selectFrom('audit_verifications').where('chain_id', '=', chainId).selectAll();
}

/** What the newest verification of a chain has found; no row before the first one. */
export function newestVerdictQuery(chainId: string) {
  return kysely
    .selectFrom('audit_verifications')
    .where('chain_id', '=', chainId)
    .where('state', 'is not', null)
    .orderBy('verified_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .select(['state', 'first_bad_seq', 'verified_at']);
}

/**
 * Segments of a chain that were archived and dropped, the newest first; those that end before `before` where that is
 * given.
 */
export function segmentsQuery(chainId: string, before: number | null) {
  return kysely
    .selectFrom('audit_segments')
    .where('chain_id', '=', chainId)
    .$call((q) => (before === null ? q : q.where('to_seq', '<', before)))
    .orderBy('to_seq', 'desc')
    .select(['chain_id', 'from_seq', 'to_seq', 'note', 'archive_name', 'witness', 'recorded_until', 'dropped_at'])
    .select([
      sql<string>`encode(root_hash, 'hex')`.as('root_hash'),
      sql<string>`encode(archive_digest, 'hex')`.as('archive_digest'),
    ]);
}

/** Rows of a chain that may be archived and dropped. */
export interface SegmentPlan {
  readonly chain_id: string;
  readonly from_seq: number;
  readonly to_seq: number;
  /** When the last of them was recorded, RFC 3339. */
  readonly recorded_until: string;
}

/**
 * The next segment of a chain to drop: whole steps of {@link segmentStep} rows from the first row that is still there, as
 * far as they are older than `audit_retention_settings` says by the database's clock, and not the end of the chain.
 *
 * @param covered how many rows a checkpoint from outside covers; without it, whatever is old enough
 * @returns null when nothing is due
 */
export async function nextSegment(
  db: ReadConnections,
  chainId: string,
  covered: number = Number.MAX_SAFE_INTEGER,
): Promise<SegmentPlan | null> {
  // Rows are recorded in the order of the chain, so the last one that is old enough is found by its segment's end.
  const text = `
    with edge as (
      select coalesce((select max(s.to_seq) from audit_segments s where s.chain_id = $1), 0) as dropped,
        least($2::bigint, (select h.size - 1 from audit_heads h where h.chain_id = $1)) as covered,
        (select clock_timestamp() - make_interval(days => r.keep_days) from audit_retention_settings r) as before
    )
    select e.dropped + 1 as from_seq, l.seq as to_seq, l.recorded_at as recorded_until
    from edge e, generate_series(e.dropped + ${segmentStep}, least(e.covered, e.dropped + ${maxSegmentRows}), ${segmentStep}) ends(seq)
      join audit_logs l on l.chain_id = $1 and l.seq = ends.seq
    where l.recorded_at < e.before
    order by l.seq desc limit 1`;
  const [plan] = await read(db, chainScope(chainId), rawQuery<Omit<SegmentPlan, 'chain_id'>>(text, [chainId, covered]));
  return plan === undefined ? null : { chain_id: chainId, ...plan };
}
