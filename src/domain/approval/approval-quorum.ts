import type { CountedApproval } from './approval.ts';
import { isEligible, policyFaults } from './approval-policy.ts';
import type { ApprovalStep, EligiblePerson } from './approval-policy.ts';
import { hasPair } from './independence.ts';
import type { Independence } from './independence.ts';

/** How many assignments of people to votes are tried at most; beyond it a policy counts as one that cannot be met. */
const maximumTries = 10_000;

/** What of a request is settled: who cannot vote, and who has. */
export interface SettledVotes {
  /** User ids of the requester and the editors. */
  readonly authors: readonly string[];
  readonly counted: readonly CountedApproval[];
}

/**
 * True when the missing votes can be given: for every step by as many eligible people as its quorum wants, apart from the
 * authors, from everybody who was counted, and from one another, nobody twice (R1, T-12).
 *
 * @param people everybody who may decide.
 */
export function canBeMet(
  steps: readonly ApprovalStep[],
  people: readonly EligiblePerson[],
  independence: Independence,
  { authors, counted }: SettledVotes,
): boolean {
  const settled = [...authors, ...counted.map(({ approver_id }) => approver_id)];
  const free = people.filter(({ user_id }) => independence.isApartFromAll(user_id, settled));
  const missing = steps.map((step, index) => ({
    ...step,
    quorum: step.quorum - counted.filter((vote) => vote.step === index).length,
  }));
  const open = missing.filter(({ quorum }) => quorum > 0);
  if (open.length === 0) return true;
  const tied = tiesAmong(free, independence);
  // Without ties among them, Hall's condition decides at once.
  if (tied.size === 0) return policyFaults({ steps: open }, free).length === 0;
  return assign(open, free, tied);
}

/** Of each person, those of the others who do not count beside them; people without any are left out. */
function tiesAmong(people: readonly EligiblePerson[], independence: Independence): Map<string, Set<string>> {
  const stoodBehind = new Map<string, string[]>();
  for (const { user_id } of people) {
    for (const id of independence.behind(user_id)) stoodBehind.set(id, [...(stoodBehind.get(id) ?? []), user_id]);
  }
  const ties = new Map<string, Set<string>>();
  for (const group of stoodBehind.values()) {
    if (group.length === 1) continue;
    for (const one of group) {
      const tied = ties.get(one) ?? new Set<string>();
      for (const other of group) if (other !== one) tied.add(other);
      ties.set(one, tied);
    }
  }
  return ties;
}

/** Searches people for all votes, steps with the fewest candidates first. */
function assign(
  steps: readonly ApprovalStep[],
  people: readonly EligiblePerson[],
  ties: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  const slots = steps
    .map((step) => ({ quorum: step.quorum, candidates: people.filter((person) => isEligible(step, person)) }))
    .toSorted((one, other) => one.candidates.length - other.candidates.length)
    .flatMap(({ quorum, candidates }) =>
      Array.from({ length: quorum }, (_, vote) => ({ candidates, isFirst: vote === 0 })),
    );
  const chosen = new Set<string>();
  let tries = 0;

  // Within a step people are taken in order, because the order of its votes makes no difference.
  function fill(index: number, from: number): boolean {
    const slot = slots[index];
    if (slot === undefined) return true;
    const start = slot.isFirst ? 0 : from;
    for (let at = start; at < slot.candidates.length; at += 1) {
      const candidate = slot.candidates[at]?.user_id ?? '';
      if (chosen.has(candidate)) continue;
      const tied = ties.get(candidate);
      if (tied !== undefined && [...chosen].some((id) => tied.has(id))) continue;
      tries += 1;
      if (tries > maximumTries) return false;
      chosen.add(candidate);
      if (fill(index + 1, at + 1)) return true;
      chosen.delete(candidate);
    }
    return false;
  }
  return fill(0, 0);
}

/** Why a policy is not robust: whom it cannot do without, or null when nobody could meet it at all. */
export interface RobustnessFault {
  readonly without: string | null;
}

/**
 * Why a policy could put itself out of action (R6), or null. For each possible requester the others must be enough, and
 * where more than one vote is needed they must be enough without any one further person too. Once two people are apart, a
 * requester whom nobody is apart from does not count: no policy could serve them, and one junior whom everybody has had to
 * do with would bar them all.
 *
 * @param people everybody who may decide.
 * @param requesters everybody who may ask for the change.
 */
export function robustnessFault(
  steps: readonly ApprovalStep[],
  people: readonly EligiblePerson[],
  independence: Independence,
  requesters: readonly string[],
): RobustnessFault | null {
  const votes = steps.reduce((sum, { quorum }) => sum + quorum, 0);
  const named = people.filter((person) => steps.some((step) => isEligible(step, person)));
  if (!canBeMet(steps, named, independence, { authors: [], counted: [] })) return { without: null };
  const served = hasPair(
    people.map(({ user_id }) => user_id),
    independence,
  )
    ? requesters.filter((id) => people.some(({ user_id }) => independence.areApart(user_id, id)))
    : requesters;
  const asking = served.filter((id) => named.some(({ user_id }) => !independence.isApartFromAll(user_id, [id])));
  for (const requester of asking) {
    if (!canBeMet(steps, named, independence, { authors: [requester], counted: [] })) return { without: requester };
  }
  if (votes === 1) return null;
  for (const { user_id: absent } of named) {
    const present = named.filter(({ user_id }) => user_id !== absent);
    for (const authors of [[], ...asking.map((id) => [id])]) {
      if (authors[0] === absent) continue;
      if (!canBeMet(steps, present, independence, { authors, counted: [] })) return { without: absent };
    }
  }
  return null;
}
