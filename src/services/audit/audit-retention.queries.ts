import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';

/** What the regular verifications of a chain have found, for a page. */
export function verificationsQuery(chainId: string) {
  return kysely.selectFrom('audit_verifications').where('chain_id', '=', chainId).selectAll();
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
