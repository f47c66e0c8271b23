import fc from 'fast-check';
import { finishAlone, honestMoves, maliciousMoves, waiting } from './four-eyes-moves.ts';
import type { Attention, Move } from './four-eyes-moves.ts';
import type { Rules, State } from './four-eyes-state.ts';
import { starts } from './four-eyes-starts.ts';

export interface Searched {
  /** The labels of the moves that lead to a violation, and which it is; or null. */
  readonly violation: readonly string[] | null;
  /** How many moves were possible. */
  readonly moves: number;
}

/** All sequences of `depth` moves that are possible, with an attempt to finish alone after each. */
export function searchAll(rules: Rules, start: State, depth: number, attention: Attention = 'vigilant'): Searched {
  let moves = 0;
  function below(state: State, left: number): readonly string[] | null {
    const reached = finishAlone(rules, state);
    if (reached !== null) return [reached];
    if (left === 0) return null;
    for (const move of groupsOf(rules, state, attention).flat()) {
      const next = move.apply(state);
      if (next === null) continue;
      moves += 1;
      const found = below(next, left - 1);
      if (found !== null) return [move.label(), ...found];
    }
    return null;
  }
  return { violation: below(start, depth), moves };
}

/** Gullible people are promised the window only, so a sequence with them ends before it is over. */
function groupsOf(rules: Rules, state: State, attention: Attention): Move[][] {
  const waits = attention === 'vigilant' ? [waiting(1), waiting(31)] : state.day < 6 ? [waiting(1)] : [];
  return [...maliciousMoves(rules, state), ...honestMoves(rules, state, attention), waits].filter((group) => group.length > 0);
}

export interface Walked {
  readonly state: State;
  readonly labels: readonly string[];
}

/** The moves that some numbers choose, one after the other; what the rules refuse is left out. */
export function walk(rules: Rules, start: State, choices: readonly number[], attention: Attention): Walked {
  let state = start;
  const labels: string[] = [];
  for (const choice of choices) {
    const groups = groupsOf(rules, state, attention);
    const group = groups[choice % groups.length] ?? [];
    const move = group[Math.floor(choice / groups.length) % group.length];
    const next = move?.apply(state) ?? null;
    if (move === undefined || next === null) continue;
    labels.push(move.label());
    state = next;
  }
  return { state, labels };
}

/** Random sequences of so many moves among people of one attention. */
export interface RandomSearch {
  readonly rules: Rules;
  readonly attention: readonly Attention[];
  readonly moves: number;
  readonly runs: number;
}

/**
 * Judges the ends of random sequences.
 *
 * @param judge says what is wrong, or null.
 * @returns the shortest sequence that was found to end wrong, with the seed that finds it again; or null.
 */
export function searchAtRandom({ rules, attention, moves, runs }: RandomSearch, judge: (walked: Walked) => string | null): string | null {
  const names = Object.keys(starts) as (keyof typeof starts)[];
  const choices = fc.array(fc.nat(), { minLength: moves, maxLength: moves, size: 'max' });
  const ends = fc.property(fc.constantFrom(...attention), fc.constantFrom(...names), choices, (how, name, chosen) => {
    const walked = walk(rules, starts[name], chosen, how);
    const fault = judge(walked);
    if (fault !== null) throw new Error([`${name}, ${how} people`, ...walked.labels, fault].join('\n'));
  });
  const { failed, seed, counterexamplePath, errorInstance } = fc.check(ends, { numRuns: runs });
  if (!failed) return null;
  return `${errorInstance instanceof Error ? errorInstance.message : ''}\n(seed ${seed}, path ${counterexamplePath})`;
}
