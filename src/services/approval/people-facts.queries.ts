import { sql } from 'kysely';
import { authorsOf } from '../../domain/approval/approval-independence.ts';
import type { PeopleFacts } from '../../domain/approval/approval-independence.ts';
import type { Approval } from '../../domain/approval/approval.ts';
import { Independence } from '../../domain/approval/independence.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { actsBehindQuery } from '../identity/account-act/account-act.queries.ts';
import { countsFromQuery } from '../identity/role/decider.queries.ts';
import { candidateIdsQuery, candidatesQuery, deciders, rightsOfRows } from './eligible-people.queries.ts';

/** For how long somebody who has said no to a change does not say it again (R10). */
const rejectionDays = 30;

function rejectionsQuery(digest: string) {
  return kysely
    .selectFrom('admin_approval_decisions')
    .where('digest', '=', digest)
    .where('verdict', '=', 'rejected')
    .where('created_at', '>', sql<string>`now() - make_interval(days => ${rejectionDays})`);
}

/**
 * What the rules need to know of the people of a request, in one round trip.
 *
 * @param senderId whose command is judged.
 */
export async function peopleFacts(
  db: ReadSource,
  scope: ReadScope,
  approval: Approval,
  senderId: string,
): Promise<PeopleFacts> {
  const { steps } = approval.policy;
  const involved = [...authorsOf(approval), ...approval.approvals.map(({ approver_id }) => approver_id), senderId];
  const others = candidateIdsQuery(steps).union(rejectionsQuery(approval.digest).select('approver_id as user_id'));
  const [candidates, acts, rejections, [sender]] = await readAll(db, scope, [
    candidatesQuery(steps),
    actsBehindQuery(involved, others),
    rejectionsQuery(approval.digest).select(['approver_id', 'created_at']).orderBy('created_at', 'desc'),
    countsFromQuery(senderId),
  ] as const);
  const independence = new Independence(acts);
  const counts_from = sender?.decisions_count_from ?? null;
  const rejected = rejections.find(({ approver_id }) => !independence.areApart(senderId, approver_id));
  return {
    independence,
    people: deciders(rightsOfRows(candidates)),
    counts_from: counts_from === null ? null : Date.parse(counts_from),
    rejected_at: rejected?.created_at ?? null,
  };
}
