import { describe, expect, it } from '@jest/globals';
import { maliciousMoves } from './four-eyes-moves.ts';
import { isRobust } from './four-eyes-rules.ts';
import { searchAtRandom } from './four-eyes-search.ts';
import { accountOf, allRules, countingIn, hasPairIn } from './four-eyes-state.ts';
import type { Guarded, Rules, State } from './four-eyes-state.ts';

/*
 * What one person does by a factor alone ends no pair, without which that person would rule alone, and somebody who was named
 * from outside puts nobody out of action whose decisions count.
 */

const guarded: readonly Guarded[] = ['X', 'Y'];

/** What is wrong with a change that was made at once, or null. */
type Judge = (before: State, after: State) => string | null;

function searchChanges(rules: Rules, judge: Judge): string | null {
  return searchAtRandom({ rules, attention: ['vigilant', 'gullible'], moves: 8, runs: 4_000 }, ({ state }) => {
    // The second group is what accounts do to accounts.
    for (const move of maliciousMoves(rules, state)[1] ?? []) {
      const after = move.apply(state);
      // What waits for approval has changed nothing yet.
      if (after === null || after.requests.length > state.requests.length) continue;
      const fault = judge(state, after);
      if (fault !== null) return `${fault} by ${move.label()}`;
    }
    return null;
  });
}

const endsPair: Judge = (before, after) => (hasPairIn(before) && !hasPairIn(after) ? 'the pair ends' : null);

const fallsBack = (rules: Rules): Judge => (before, after) => {
  const isReplaceable = (state: State, action: Guarded) => !isRobust(state, state.gates[action].policy, rules.juniors_count ? 'everybody' : 'deciders');
  // Before there is a pair one person rules alone, and everybody can see it.
  const action = !hasPairIn(before) ? undefined : guarded.find((one) => !isReplaceable(before, one) && isReplaceable(after, one));
  return action === undefined ? null : `one vote replaces the policy of ${action}`;
};

/** By the malicious person, while all accounts that this person holds wait. */
const putsOut: Judge = (before, after) => {
  const counting = countingIn(before);
  if (before.accounts.some(({ id, app, mailbox }) => counting.includes(id) && (app ?? mailbox) === 'mallory')) return null;
  const changed = counting.find((id) => accountOf(before, id) !== accountOf(after, id) || after.acts.some(({ target }) => target === id && !before.acts.some((act) => act.target === id)));
  return changed === undefined ? null : `${changed} is changed`;
};

describe('a factor alone', () => {
  it('ends no pair', () => {
    expect(searchChanges(allRules, endsPair)).toBeNull();
  });

  it('would, if acts on whoever stands behind a decider took nobody else', () => {
    expect(searchChanges({ ...allRules, behind_deciders: false }, endsPair)).toContain('the pair ends');
  });

  it('makes no policy one that a single vote replaces', () => {
    expect(searchChanges(allRules, fallsBack(allRules))).toBeNull();
  });

  it('would, if a policy also had to serve requesters who decide nothing', () => {
    expect(searchChanges(allRules, fallsBack({ ...allRules, juniors_count: true }))).toContain('one vote replaces');
  });

  it('puts nobody out of action whose decisions count, by somebody whose own do not', () => {
    expect(searchChanges(allRules, putsOut)).toBeNull();
  });

  it('would, if whoever waits needed nobody', () => {
    expect(searchChanges({ ...allRules, wait: false }, putsOut)).toContain('is changed');
  });
});
