import { sql } from 'kysely';
import { authorsOf } from '../../domain/approval/approval-independence.ts';
import type { PeopleFacts } from '../../domain/approval/approval-independence.ts';
import { Independence } from '../../domain/approval/independence.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { actsBehindQuery } from '../identity/account-act/account-act.queries.ts';
import { countsFromQuery } from '../identity/role/decider.queries.ts';
import { findAction } from '../actions/registry.ts';
import { changeOf } from './approval-row.queries.ts';
import type { StoredApproval } from './approval.repository.ts';
import { candidateIdsQuery, candidatesQuery, deciders, rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import type { PersonRights } from './eligible-people.queries.ts';

/** For how long somebody who has said no to a change does not say it again (R10). */
const rejectionDays = 30;

/** Rejections of a change, with whatever reasons it was asked for. */
function rejectionsQuery(changeDigest: string) {
  return kysely
    .selectFrom('admin_approval_decisions as d')
    .innerJoin('admin_approvals as a', 'a.id', 'd.approval_id')
    .where(changeOf('a'), '=', changeDigest)
    .where('d.verdict', '=', 'rejected')
    .where('d.created_at', '>', sql<string>`now() - make_interval(days => ${rejectionDays})`);
}

/**
 * What the rules need to know of the people of a request, in one round trip.
 *
 * @param senderId whose command is judged.
 */
export async function peopleFacts(
  db: ReadSource,
  scope: ReadScope,
  { row, approval }: StoredApproval,
  senderId: string,
): Promise<PeopleFacts> {
  const { steps } = approval.policy;
  const involved = [...authorsOf(approval), ...approval.approvals.map(({ approver_id }) => approver_id), senderId];
  const others = candidateIdsQuery(steps).union(rejectionsQuery(row.change_digest).select('d.approver_id as user_id'));
  const [candidates, acts, rejections, [sender], requester] = await readAll(db, scope, [
    candidatesQuery(steps),
    actsBehindQuery(involved, others),
    rejectionsQuery(row.change_digest).select(['d.approver_id', 'd.created_at']).orderBy('d.created_at', 'desc'),
    countsFromQuery(senderId),
    rightsQuery([approval.requested_by]),
  ] as const);
  const independence = new Independence(acts);
  const counts_from = sender?.decisions_count_from ?? null;
  const rejected = rejections.find(({ approver_id }) => !independence.areApart(senderId, approver_id));
  return {
    independence,
    people: deciders(rightsOfRows(candidates)),
    counts_from: counts_from === null ? null : Date.parse(counts_from),
    rejected_at: rejected?.created_at ?? null,
    requester_left: !mayStillAsk(row.action, rightsOfRows(requester)[0]),
  };
}

/**
 * The change is made in the requester's name, so the requester still needs the permission to request it. What people ask for
 * about their own account needs none, and refuses itself when the account is not active.
 *
 * @param requester the present rights; undefined for somebody who is not active.
 */
export function mayStillAsk(action: string, requester: PersonRights | undefined): boolean {
  const needed = findAction(action)?.permission;
  if (needed === null) return true;
  return requester !== undefined && (needed === undefined || requester.permissions.includes(needed));
}
