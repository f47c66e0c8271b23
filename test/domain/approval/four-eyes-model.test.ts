import { describe, expect, it } from '@jest/globals';
import { finishAlone } from './four-eyes-moves.ts';
import type { Attention } from './four-eyes-moves.ts';
import { searchAll, searchAtRandom } from './four-eyes-search.ts';
import { starts } from './four-eyes-starts.ts';
import { allRules } from './four-eyes-state.ts';
import type { Rules } from './four-eyes-state.ts';

/*
 * One malicious person against the rules of four eyes: whatever the sequence, neither X nor Y runs and no gate becomes
 * weaker by that person's hands alone. After each sequence an oracle tries to finish alone from there. The same searches
 * find a way as soon as one of the rules is left out, which shows that they can.
 */

/** What was seen of random sequences that end in no violation, and the one that does. */
function random(rules: Rules, attention: Attention, runs: number) {
  const seen = { violation: null as string | null, possible: 0, ran: 0, weakened: 0 };
  seen.violation = searchAtRandom({ rules, attention: [attention], moves: 12, runs }, ({ state, labels }) => {
    seen.possible += labels.length;
    if (state.ran !== null) seen.ran += 1;
    if (state.y_is_free) seen.weakened += 1;
    return finishAlone(rules, state);
  });
  return seen;
}

describe('four eyes against one malicious person', () => {
  // Four administrators have too many moves for a third, and few can be done where hardly anybody administers.
  const depths = { 'two votes for Y': 2, 'a junior among administrators': 4, 'a releaser who decides': 4 } as Readonly<Record<string, number>>;
  const searches = Object.entries(starts).map(([name, start]) => ({ name, start, depth: depths[name] ?? 3 }));

  it.each(searches)('hold in all sequences of $depth moves, then finishing alone: $name', ({ start, depth }) => {
    expect(searchAll(allRules, start, depth)).toMatchObject({ violation: null });
  });

  it('hold in 15,000 random sequences of 12 moves among vigilant people', () => {
    const seen = random(allRules, 'vigilant', 15_000);
    expect(seen.violation).toBeNull();
    expect(seen.possible).toBeGreaterThan(50_000);
    expect(seen.ran).toBeGreaterThan(350);
    expect(seen.weakened).toBe(0);
  });

  it('hold in 15,000 random sequences of 12 moves among gullible people, inside the window', () => {
    const seen = random(allRules, 'gullible', 15_000);
    expect(seen.violation).toBeNull();
    expect(seen.possible).toBeGreaterThan(50_000);
    expect(seen.ran).toBeGreaterThan(350);
    expect(seen.weakened).toBeGreaterThan(5);
  });
});

/** The shortest sequence that violates, from any start. */
function shortest(rules: Rules, attention: Attention): readonly string[] | null {
  for (const depth of [0, 1, 2]) {
    for (const start of Object.values(starts)) {
      const { violation } = searchAll(rules, start, depth, attention);
      if (violation !== null) return violation;
    }
  }
  return null;
}

describe('the same search with a rule left out', () => {
  const leftOut: [string, Partial<Rules>, Attention, number, string][] = [
    ['R1 asks only whether an author touched the decider', { apart: 'author-touched-decider' }, 'vigilant', 1, 'X ran'],
    ['R1 goes only one step back', { apart: 'one-step' }, 'vigilant', 2, 'X ran'],
    ['R2: what was approved ties nobody', { approved: 'closes' }, 'gullible', 2, 'X ran'],
    ['R3: what one person did alone ages out', { alone: 'ages' }, 'vigilant', 2, 'X ran'],
    ['R6: a weaker gate takes a factor', { weakening: false }, 'vigilant', 0, 'gate of Y weakened'],
    ['R7: the glass may be broken for oneself', { glass: false }, 'vigilant', 0, 'X ran'],
  ];

  it.each(leftOut)('finds a way when %s', (_, rules, attention, moves, violation) => {
    const found = shortest({ ...allRules, ...rules }, attention);
    expect(found).toHaveLength(moves + 1);
    expect(found?.at(-1)).toBe(violation);
  });

  it.each(leftOut)('finds a way at random when %s', (_, rules, attention) => {
    expect(random({ ...allRules, ...rules }, attention, 15_000).violation).toMatch(/(X ran|Y ran|gate of . weakened)\n/);
  });

  it('finds none without the two for deciders’ accounts: they keep honest people in action, and R1 to R3 hold alone', () => {
    expect(shortest({ ...allRules, deciders: false }, 'vigilant')).toBeNull();
  });
});
