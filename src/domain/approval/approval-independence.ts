import { applyCommand } from './approval.ts';
import type { Approval, ApprovalCommand, Refusal } from './approval.ts';
import { isEligible } from './approval-policy.ts';
import type { EligiblePerson } from './approval-policy.ts';
import { canBeMet } from './approval-quorum.ts';
import type { Independence, Tie } from './independence.ts';

/** What only the database knows of the people of a request. */
export interface PeopleFacts {
  readonly independence: Independence;
  /** Everybody who may decide and is named by a step. */
  readonly people: readonly EligiblePerson[];
  /** From when the decisions of the sender count, as somebody who was named from outside (R12). Milliseconds. */
  readonly counts_from: number | null;
  /** The requester is not active any more, or may not ask for the change any more, which is made in their name. */
  readonly requester_left: boolean;
  /** When the sender, or somebody tied to them, last said no to this very change, RFC 3339. */
  readonly rejected_at: string | null;
}

/** What makes a vote count that does not count now. */
export type VoteNeed = 'confirmation' | 'another_person';

/** Why somebody's word on a request does not count, with what explains it to people. */
export interface PersonRefusal extends Refusal {
  readonly tie?: Tie;
  readonly needs?: VoteNeed;
  /** RFC 3339. */
  readonly counts_from?: string;
  /** The step that would be left without enough people. */
  readonly step?: string;
}

type PersonalCommand = Extract<ApprovalCommand, { by: EligiblePerson }>;

/**
 * Why a command of a person is refused because of who they are (R1, R7, R9, R10, R12). What depends on the request alone
 * `refusal` says before it. The workflow's validators do not know these facts, so the transaction that records the command
 * judges them; an execution judges the votes again.
 *
 * @param now milliseconds since the epoch.
 */
export function personRefusal(
  approval: Approval,
  command: PersonalCommand,
  facts: PeopleFacts,
  now: number,
): PersonRefusal | null {
  const { by } = command;
  switch (command.kind) {
    case 'approve':
      return notYet(facts, now) ?? tiedVote(approval, by, facts) ?? left(facts) ?? neededLater(approval, command, facts, now);
    case 'break-glass':
      return notYet(facts, now) ?? ownEmergency(approval, by, facts) ?? left(facts);
    case 'reject':
      return notYet(facts, now) ?? rejectedBefore(facts);
    case 'edit':
      return by.user_id === approval.requested_by
        ? null
        : { code: 'approval.not-author', detail: 'Only the requester can edit a request.' };
    case 'cancel':
    case 'withdraw':
      return null;
  }
}

/** Those whose counted votes do not count any more, because somebody stands behind them and an author or another voter. */
export function tiedVotes(approval: Approval, independence: Independence): string[] {
  const authors = authorsOf(approval);
  const standing: string[] = [];
  const tied: string[] = [];
  for (const { approver_id } of approval.approvals) {
    // The earlier vote stands.
    const counts = independence.isApartFromAll(approver_id, [...authors, ...standing]);
    (counts ? standing : tied).push(approver_id);
  }
  const { bypassed_by } = approval;
  if (bypassed_by !== null && !independence.isApartFromAll(bypassed_by, authors)) tied.push(bypassed_by);
  return tied;
}

/** Everybody who wrote what a request carries. */
export function authorsOf({ requested_by, editors }: Pick<Approval, 'requested_by' | 'editors'>): string[] {
  return [...new Set([requested_by, ...editors])];
}

/**
 * A request with those who wrote what its payload refers to, such as a proposal. They are authors of it like whoever asks (R1), so
 * they stand among its editors.
 */
export function withWriters(approval: Approval, writers: readonly string[]): Approval {
  const others = writers.filter((id) => id !== approval.requested_by);
  return { ...approval, editors: [...new Set([...approval.editors, ...others])] };
}

function notYet({ counts_from }: PeopleFacts, now: number): PersonRefusal | null {
  if (counts_from === null || counts_from <= now) return null;
  const from = new Date(counts_from).toISOString();
  return {
    code: 'tenant.naming-waits',
    detail: `You were named from outside; your decisions count from ${from}.`,
    counts_from: from,
  };
}

/** Why a request cannot be made any more whose requester has left. */
export const requesterNotEntitled = {
  code: 'approval.requester-left',
  detail: 'The requester of this change is no longer active, or may no longer make it.',
} as const;

/** The change would fail after the last vote: nobody is asked for a vote in vain. */
function left({ requester_left }: PeopleFacts): PersonRefusal | null {
  return requester_left ? requesterNotEntitled : null;
}

function tiedVote(approval: Approval, by: EligiblePerson, { independence }: PeopleFacts): PersonRefusal | null {
  const voters = approval.approvals.map(({ approver_id }) => approver_id);
  const others = [...authorsOf(approval), ...voters];
  const tie = firstTie(independence, by.user_id, others);
  if (tie === null) return null;
  const refused = {
    code: 'approval.not-independent',
    detail: 'You do not count apart from an author or another approver of this request.',
  } as const;
  const counts_from = independence.apartFrom(by.user_id, others);
  if (counts_from !== null) return { ...refused, tie, counts_from };
  // Of several ties the one is told that no time opens.
  return { ...refused, tie: firstTie(independence.after(null), by.user_id, others) ?? tie, needs: 'confirmation' };
}

function firstTie(independence: Independence, userId: string, others: readonly string[]): Tie | null {
  for (const other of others) {
    const tie = independence.tie(userId, other);
    if (tie !== null) return tie;
  }
  return null;
}

/** A vote that would leave a later step without enough people is refused, if that step could be met without it (T-12). */
function neededLater(
  approval: Approval,
  command: Extract<PersonalCommand, { kind: 'approve' }>,
  { independence, people }: PeopleFacts,
  now: number,
): PersonRefusal | null {
  const { steps } = approval.policy;
  const authors = authorsOf(approval);
  const after = applyCommand(approval, command, now);
  if (canBeMet(steps, people, independence, { authors, counted: after.approvals })) return null;
  if (!canBeMet(steps, people, independence, { authors, counted: approval.approvals })) return null;
  const given = after.approvals.at(-1)?.step ?? 0;
  const later = steps.find((step, index) => index > given && isEligible(step, command.by));
  const name = later?.name ?? steps.at(-1)?.name ?? '';
  return {
    code: 'approval.needed-later',
    detail: `Without you step '${name}' could not be met. Leave this step to somebody else.`,
    step: name,
    needs: 'another_person',
  };
}

/** Breaking the glass replaces the quorum, never the second person (R7). */
function ownEmergency(approval: Approval, by: EligiblePerson, { independence }: PeopleFacts): PersonRefusal | null {
  for (const author of authorsOf(approval)) {
    const isOwn = author === by.user_id;
    const tie = isOwn ? null : independence.tie(by.user_id, author);
    if (!isOwn && tie === null) continue;
    return {
      code: 'approval.bypass-own-request',
      detail: 'Nobody breaks the glass for a change of their own, or of an account they stand behind.',
      needs: 'another_person',
      ...(tie === null ? {} : { tie }),
    };
  }
  return null;
}

function rejectedBefore({ rejected_at }: PeopleFacts): PersonRefusal | null {
  if (rejected_at === null) return null;
  return {
    code: 'approval.rejected-before',
    detail: `You have said no to this very change on ${rejected_at.slice(0, 10)}; now it takes somebody else's.`,
    needs: 'another_person',
  };
}
