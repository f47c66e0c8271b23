import { sql } from 'kysely';
import { comparedVerdicts } from '../../domain/audit/audit-retention.ts';
import type { DecisionRecord } from '../../domain/audit/audit-retention.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadConnections } from '../../platform/database/read.ts';
import { chainScope } from './audit-chain.queries.ts';

/** The decisions about approval requests that a tenant's chain holds since a time. */
export async function decisionsInAudit(db: ReadConnections, chainId: string, since: Date): Promise<DecisionRecord[]> {
  const rows = await read(
    db,
    chainScope(chainId),
    kysely
      .selectFrom('audit_logs')
      .where('chain_id', '=', chainId)
      .where('event', 'in', comparedVerdicts.map((verdict) => `approval.${verdict}`))
      .where('outcome', '=', 'success')
      .where('occurred_at', '>=', since.toISOString())
      .orderBy('seq')
      .select(['event', 'occurred_at'])
      .select([
        sql<string | null>`entry ->> 'workflow_id'`.as('workflow_id'),
        sql<string | null>`entry #>> '{actor,user_id}'`.as('user_id'),
      ]),
  );
  return rows.flatMap(({ event, occurred_at, workflow_id, user_id }) => {
    const verdict = comparedVerdicts.find((one) => event === `approval.${one}`);
    if (verdict === undefined || workflow_id === null || user_id === null) return [];
    return [{ workflow_id, verdict, user_id, at_ms: Date.parse(occurred_at) }];
  });
}
