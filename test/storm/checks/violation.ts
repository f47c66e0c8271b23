/** The seven promises that are checked, by their numbers. */
export const invariants = {
  1: 'answered writes exactly once',
  2: 'one key, one effect, one answer',
  3: 'requests executed once or visibly ended',
  4: 'focus timers at most 60 s late',
  5: 'audit chains valid and reconciled with the rows',
  6: 'no workflow failed, none without its row, no row without its workflow',
  7: 'rows agree with results',
} as const;
export type InvariantNumber = keyof typeof invariants;

/** One breach of a promise. */
export interface Violation {
  readonly invariant: InvariantNumber;
  /** What is wrong, always in the same words for the same kind. */
  readonly name: string;
  /** Where: ids, keys and figures. */
  readonly detail: string;
}

/** What a check has found, with what it has looked at. */
export interface Finding {
  readonly invariant: InvariantNumber;
  readonly figures: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

/** Collects what one check finds. */
export class Findings {
  readonly #invariant: InvariantNumber;
  readonly #figures: Record<string, number> = {};
  readonly #violations: Violation[] = [];

  constructor(invariant: InvariantNumber) {
    this.#invariant = invariant;
  }

  /** States how many of something were looked at, or how large something is. */
  figure(name: string, value: number): void {
    this.#figures[name] = value;
  }

  /** Records a breach unless the condition holds. */
  expect(holds: boolean, name: string, detail: () => string): void {
    if (!holds) this.#violations.push({ invariant: this.#invariant, name, detail: detail() });
  }

  get finding(): Finding {
    return { invariant: this.#invariant, figures: this.#figures, violations: this.#violations };
  }
}
