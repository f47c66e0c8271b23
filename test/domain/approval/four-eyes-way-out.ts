import { approvalBy, heldBy, refuseAll } from './four-eyes-moves.ts';
import { confirm, decide, digestOf, submit, wait } from './four-eyes-rules.ts';
import type { Hand } from './four-eyes-rules.ts';
import { accountOf, honestPeople, independenceIn, isAdministrator, isGenuine } from './four-eyes-state.ts';
import type { Change, Request, Rules, State } from './four-eyes-state.ts';

/** How honest people reach X while the malicious one refuses whatever it may; null when they cannot. */
export type WayOut = 'at once' | 'after a confirmation' | 'after replacing the policy' | 'after both';

const honestHands = (state: State): Hand[] => honestPeople.flatMap((person) => heldBy(state, person));

/** True when two honest administrators are apart, so that no help from outside is needed. */
export function honestPair(state: State): boolean {
  const administrators = honestHands(state).filter(({ account: id }) => {
    const account = accountOf(state, id);
    return account !== undefined && isAdministrator(account) && account.counts_from <= state.day;
  });
  const independence = independenceIn(state);
  return administrators.some((one, index) =>
    administrators.slice(index + 1).some((other) => independence.areApart(one.account, other.account)),
  );
}

/** Searches the shortest way out. Some state in which X has just been run counts as one that has not. */
export function wayOut(rules: Rules, from: State): WayOut | null {
  const state = { ...from, ran: null };
  if (runsX(rules, state)) return 'at once';
  const confirmed = confirmAll(state);
  if (confirmed !== state && runsX(rules, confirmed)) return 'after a confirmation';
  if (replaced(rules, state).some((next) => runsX(rules, next))) return 'after replacing the policy';
  return replaced(rules, confirmed).some((next) => runsX(rules, next)) ? 'after both' : null;
}

function runsX(rules: Rules, state: State): boolean {
  const change: Change = { kind: 'run', action: 'X', content: state.next + 100 };
  return honestHands(state).some((hand) => agreed(rules, state, hand, change, ({ ran }) => ran === 'X') !== null);
}

/**
 * The safe policy, and one that asks the same people. Where the first waits already under a policy that nobody can meet or refuse
 * any more, nobody may ask for it again, but for the other one.
 */
const safePolicies = [approvalBy({}), approvalBy({ reminder_interval_seconds: 3_600 })];

/** The states after the policy of X was replaced by a safe one. */
function replaced(rules: Rules, state: State): State[] {
  return safePolicies.flatMap((effect) => {
    const change: Change = { kind: 'policy', action: 'X', effect };
    return honestHands(state).flatMap((hand) => {
      const next = agreed(rules, state, hand, change, ({ gates }) => gates.X === effect);
      return next === null ? [] : [next];
    });
  });
}

/** Asks again after every no, until the malicious person has none left, and gives the honest votes. */
function agreed(rules: Rules, from: State, hand: Hand, change: Change, isDone: (state: State) => boolean): State | null {
  let state = from;
  for (let attempt = 0; attempt < 8; attempt += 1) {
    // The same change may wait already.
    const isOpen = state.requests.some(({ approval }) => approval.digest === digestOf(change));
    const asked = isOpen ? state : submit(rules, state, hand, change);
    if (asked === null) return null;
    if (isDone(asked)) return asked;
    state = refuseAll(rules, asked);
    const request = state.requests.find(({ approval }) => approval.digest === digestOf(change));
    if (request === undefined) continue;
    const done = voted(rules, state, request.id, isDone);
    if (done !== null || !isOpen) return done;
    // What waits may have been opened under a policy that cannot be met any more, so it makes room.
    state = refusedByHonest(rules, state, request);
  }
  return null;
}

function refusedByHonest(rules: Rules, state: State, request: Request): State {
  for (const hand of honestHands(state)) {
    const next = decide(rules, state, hand, request, 'reject');
    if (next !== null) return next;
  }
  return state;
}

function voted(rules: Rules, state: State, id: number, isDone: (state: State) => boolean): State | null {
  if (isDone(state)) return state;
  const request = state.requests.find((one) => one.id === id);
  if (request === undefined) return null;
  for (const hand of honestHands(state)) {
    const next = decide(rules, state, hand, request, 'approve');
    if (next === null) continue;
    const done = isDone(next) ? next : voted(rules, refuseAll(rules, next), id, isDone);
    if (done !== null) return done;
  }
  return null;
}

/** Every account that is really its person's, confirmed by whoever may. */
function confirmAll(from: State): State {
  let state = from;
  for (let round = 0; round < 2; round += 1) {
    for (const { id } of state.accounts.filter(isGenuine)) {
      for (const hand of honestHands(state)) state = confirm(state, hand, id) ?? state;
    }
  }
  return state;
}

/** Named from outside three days ago at the latest. */
export const settled = (state: State): State => (state.accounts.some((one) => one.counts_from > state.day) ? wait(state, 3) : state);
