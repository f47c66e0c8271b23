import { sql } from 'kysely';
import { policyFaults } from '../../domain/approval/approval-policy.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import { canBeMet } from '../../domain/approval/approval-quorum.ts';
import { countsBy } from '../../domain/approval/four-eyes-state.ts';
import { changeOf } from './approval-row.queries.ts';
import { deciders, decidersQuery, rightsOfRows } from './eligible-people.queries.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { consumePasswordProof } from '../../platform/security/password-proof.ts';
import type { OpenApproval } from '../../workflows/approval/approval.contract.ts';
import type { Action } from '../actions/action.ts';
import { independenceOf } from '../identity/account-act/account-act.queries.ts';
import { putAccountNews } from './safeguard-news.repository.ts';

/** True for a request of the same change. */
const isSame = (changeDigest: string) => sql<boolean>`(${changeOf()} = ${changeDigest})`;

/** How many requests of one person may be open at a time (R10). */
const maximumOpen = 20;

/**
 * Serializes the openings of one person and those of one change until the transaction ends, so that what
 * {@link assertOpenable} has found still holds at the commit.
 */
export function lockOpening(tx: Tx, requesterId: string, changeDigest: string): void {
  for (const key of [`approvals-of/${requesterId}`, `approval-of/${tx.actor.tenant_id}/${changeDigest}`]) {
    tx.defer({ compile: () => sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`.compile(tx.sql) });
  }
}

/**
 * Consumes what the requester has proven: the second factor, or for the one action that is asked for because the factor is
 * lost, the password. The action says which of the two, not the caller; a proof of the one kind is never taken for the other.
 * The owner of the password is told at once: somebody else may have used it.
 *
 * @param tx of the requester.
 * @throws Problem `mfa.required`, `auth.password-refused`.
 */
export async function consumeOpeningProof(
  tx: Tx,
  { name, askedWith }: Action,
  { mfa_proof_id, digest, requester }: Pick<OpenApproval, 'mfa_proof_id' | 'digest' | 'requester'>,
): Promise<void> {
  if (askedWith === 'factor') return consumeMfaProof(tx, mfa_proof_id, tx.actor);
  await consumePasswordProof(tx, mfa_proof_id, { user_id: requester.user_id, action: name, payload_digest: digest });
  putAccountNews(tx, 'factor-recovery-asked', requester.user_id);
}

/**
 * @param changeDigest of the change without its reasons: asked for with other words it is the same.
 * @param exceptId a request that is edited, and may be identical with itself.
 * @throws Problem `approval.identical-open` when the very change waits already, `approval.too-many-open` (R9, R10).
 */
export async function assertOpenable(tx: Tx, requesterId: string, changeDigest: string, exceptId?: string): Promise<void> {
  const open = await tx.sql
    .selectFrom('admin_approvals')
    .where('status', 'in', ['pending', 'approved'])
    .where((eb) => eb.or([isSame(changeDigest), eb('requested_by', '=', requesterId)]))
    .select(['id', 'requested_by', isSame(changeDigest).as('is_same')])
    .limit(maximumOpen + 1)
    .orderBy(isSame(changeDigest), 'desc')
    .execute();
  const identical = open.find((one) => one.is_same && one.id !== exceptId);
  if (identical !== undefined) {
    throw new Problem({
      code: 'approval.identical-open',
      detail: 'The same change waits already.',
      members: { approval_id: identical.id },
    });
  }
  if (exceptId !== undefined || open.filter(({ requested_by }) => requested_by === requesterId).length < maximumOpen) return;
  throw new Problem({
    code: 'approval.too-many-open',
    detail: `${maximumOpen} requests of yours wait. Cancel one first.`,
  });
}

/**
 * @param authors user ids of those who cannot approve it.
 * @throws Problem `approval.no-second-person` when nobody in the tenant could approve apart from the authors before the request
 *   expires, `approval.policy-unsatisfiable` when the policy asks for more than there are.
 */
export async function assertSatisfiable(tx: Tx, policy: ApprovalPolicy, authors: readonly string[]): Promise<void> {
  const { rows } = await tx.sql.executeQuery(decidersQuery().compile());
  const latest = Date.now() + policy.review_window_seconds * 1000;
  // Nobody whose decisions do not count before the request expires (R12).
  const everybody = deciders(rightsOfRows(rows.filter(({ decisions_count_from }) => countsBy(decisions_count_from, latest))));
  const independence = await independenceOf(tx, tx.actor, [...authors, ...everybody.map(({ user_id }) => user_id)]);
  if (canBeMet(policy.steps, everybody, independence, { authors, counted: [] })) return;
  const others = everybody.filter(({ user_id }) => independence.isApartFromAll(user_id, authors));
  if (others.length === 0) {
    const isUnconfirmed = everybody.some(({ user_id }) => !authors.includes(user_id));
    const waiting = rows.filter(({ user_id, decisions_count_from }) => !countsBy(decisions_count_from, latest) && !authors.includes(user_id));
    const times = waiting.flatMap(({ decisions_count_from }) => decisions_count_from ?? []);
    const counts_from = times.toSorted((one, other) => Date.parse(one) - Date.parse(other))[0];
    const isOwn = authors.length === 1;
    throw new Problem({
      code: 'approval.no-second-person',
      detail:
        `Nobody here could approve this apart from you${isOwn ? '' : ' and those who wrote what it carries'}. Ways out: ` +
        (isOwn ? '' : 'leave it to one of them to ask for it, ') +
        (counts_from === undefined ? '' : `wait until ${counts_from}, from when decisions of somebody who was named count, `) +
        (isUnconfirmed ? 'have an account confirmed by somebody who did not make it, ' : '') +
        'name a second administrator, or ask the platform to name one.',
      members: {
        ways_out: [...(counts_from === undefined ? [] : ['wait']), ...(isUnconfirmed ? ['confirm'] : []), 'name_second', 'ask_platform'],
        ...(counts_from === undefined ? {} : { counts_from }),
      },
    });
  }
  const faults = policyFaults(policy, others);
  const needed = policy.steps.reduce((sum, { quorum }) => sum + quorum, 0);
  throw new Problem({
    code: 'approval.policy-unsatisfiable',
    detail:
      faults.length > 0
        ? `Not enough users could approve this: ${faults.map(({ message }) => message).join('; ')}.`
        : `This policy needs ${needed} people who count apart; there are not enough. It may be replaced: PUT /admin/approval-policies.`,
    errors: faults.map(({ path, message }) => ({ pointer: path, detail: message })),
  });
}
