import { safePolicy } from '../../../src/domain/approval/approval-gate.ts';
import { isEligible } from '../../../src/domain/approval/approval-policy.ts';
import type { ApprovalPolicy, EligiblePerson } from '../../../src/domain/approval/approval-policy.ts';
import type { Approval } from '../../../src/domain/approval/approval.ts';
import type { GateEffect } from '../../../src/domain/approval/gate-strength.ts';
import { hasPair, Independence } from '../../../src/domain/approval/independence.ts';
import type { AccountActKind, OpenAct, Tie } from '../../../src/domain/approval/independence.ts';

/*
 * The state of the model of four eyes. Accounts are kept apart from persons: each says whom it claims to be, and each way
 * in says who really holds it. Violations are judged by persons, never by accounts.
 */

/** `mallory` is malicious; `nobody` is invented, so that only somebody else can hold the account. */
export type Person = 'mallory' | 'alice' | 'bob' | 'carol' | 'dora' | 'nobody';
export const malicious: Person = 'mallory';
export const honestPeople: readonly Person[] = ['alice', 'bob', 'carol', 'dora'];

export type Role = 'role-super-admin' | 'releaser' | 'junior';

export interface Account {
  readonly id: string;
  readonly claims: Person;
  readonly role: Role;
  readonly is_active: boolean;
  readonly mailbox: Person;
  readonly identity: Person | null;
  readonly password: Person;
  /** Without an app the second factor is a mailed code. */
  readonly app: Person | null;
  /** The day from which decisions count, for somebody who was named from outside. */
  readonly counts_from: number;
}

export interface Act {
  readonly target: string;
  readonly actor: string;
  readonly kind: AccountActKind;
  /** The day on which it closes by itself; null for what one person did alone. */
  readonly closes: number | null;
}

/** X has the floor `approval`; Y was put behind approval by the tenant. */
export type Guarded = 'X' | 'Y';

export type Change =
  | { readonly kind: 'run'; readonly action: Guarded; readonly content: number }
  | { readonly kind: 'policy'; readonly action: Guarded; readonly effect: GateEffect }
  | { readonly kind: 'make'; readonly claims: Person; readonly role: Role; readonly holder: Person }
  | { readonly kind: 'grant'; readonly target: string }
  | { readonly kind: 'take' | 'suspend' | 'activate'; readonly target: string }
  | { readonly kind: 'address' | 'identity'; readonly target: string; readonly to: Person };

export interface Request {
  readonly id: number;
  readonly change: Change;
  readonly approval: Approval;
  /** The person who wrote what it carries now. */
  readonly writer: Person;
  /** The person who really used an account to vote, or to break the glass. */
  readonly hands: Readonly<Record<string, Person>>;
}

export interface No {
  readonly account: string;
  readonly digest: string;
  readonly day: number;
}

export interface State {
  readonly accounts: readonly Account[];
  readonly acts: readonly Act[];
  readonly gates: Readonly<Record<Guarded, GateEffect>>;
  readonly requests: readonly Request[];
  readonly noes: readonly No[];
  readonly day: number;
  /** True once two people have taken Y out of approval. */
  readonly y_is_free: boolean;
  /** What was run, `X` or `Y`, most lately. */
  readonly ran: Guarded | null;
  readonly violation: string | null;
  readonly next: number;
}

/** The rules, each of which can be left out to see that the model notices. */
export interface Rules {
  /** R1: nobody stands behind both; only the last step of it; or only that no author touched the decider. */
  readonly apart: 'behind' | 'one-step' | 'author-touched-decider';
  /** R2: what was approved ties its author until it has aged out; or not at all. */
  readonly approved: 'ages' | 'closes';
  /** R3: what one person did alone never ripens; or it ages out as well. */
  readonly alone: 'never' | 'ages';
  /** R4 and R5: deciders are made and changed by two, once there is a pair. */
  readonly deciders: boolean;
  /** R4: so are whoever stands behind a decider. */
  readonly behind_deciders: boolean;
  /** R6: what weakens a gate passes it. */
  readonly weakening: boolean;
  /** R6: a written policy is robust, and one that is not any more is replaced through the safe policy. */
  readonly robust: boolean;
  /** R6 as it was: a policy is replaced through the safe one also where it fails requesters who decide nothing. */
  readonly juniors_count: boolean;
  /** R7: the glass is broken for others only. */
  readonly glass: boolean;
  /** R10: one no each. */
  readonly one_no: boolean;
  /** R12: whoever was named from outside asks somebody who counts, until their own decisions count. */
  readonly wait: boolean;
}

export const allRules: Rules = {
  apart: 'behind',
  approved: 'ages',
  alone: 'never',
  deciders: true,
  behind_deciders: true,
  weakening: true,
  robust: true,
  juniors_count: false,
  glass: true,
  one_no: true,
  wait: true,
};

const dayMs = 24 * 3600 * 1000;
export const timeOf = ({ day }: Pick<State, 'day'>): number => day * dayMs;

/** The safe policy with the longest review window, so that waiting a day closes nothing. */
export const modelPolicy: ApprovalPolicy = { ...safePolicy, review_window_seconds: 30 * 24 * 3600 };

export const isAdministrator = ({ role, is_active }: Account): boolean => is_active && role === 'role-super-admin';
export const isDecider = ({ role, is_active }: Account): boolean => is_active && role !== 'junior';

/** True when a person can really sign in to an account and give its second factor. */
export function holds(person: Person, { is_active, mailbox, identity, password, app }: Account): boolean {
  return is_active && (app ?? mailbox) === person && [mailbox, identity, password].includes(person);
}

/** True when nobody but the person whom an account claims to be holds any of its ways in. */
export function isGenuine({ claims, mailbox, identity, password, app }: Account): boolean {
  return claims !== 'nobody' && [mailbox, identity ?? claims, password, app ?? claims].every((holder) => holder === claims);
}

export const asPerson = ({ id, role }: Account): EligiblePerson => ({ user_id: id, roles: [role] });

export const deciders = ({ accounts }: State): EligiblePerson[] => accounts.filter(isDecider).map(asPerson);

export const accountOf = ({ accounts }: State, id: string): Account | undefined => accounts.find((one) => one.id === id);

/** The rules as they were thought of first, for the proof that the model sees what they let through. */
class Shortened extends Independence {
  readonly #acts: readonly OpenAct[];
  readonly #apart: Exclude<Rules['apart'], 'behind'>;

  constructor(acts: readonly OpenAct[], apart: Exclude<Rules['apart'], 'behind'>) {
    super(acts);
    this.#acts = acts;
    this.#apart = apart;
  }

  override behind(userId: string): ReadonlySet<string> {
    const actors = this.#acts.filter(({ target_id }) => target_id === userId).map(({ actor_id }) => actor_id);
    return new Set([userId, ...(this.#apart === 'one-step' ? actors : [])]);
  }

  override tie(one: string, other: string): Tie | null {
    const touched = (target: string, actor: string) => this.#acts.find((act) => act.target_id === target && act.actor_id === actor);
    if (this.#apart === 'author-touched-decider') {
      const act = touched(one, other);
      return act === undefined ? null : { person_id: other, act };
    }
    const others = this.behind(other);
    for (const person_id of this.behind(one)) {
      const act = others.has(person_id) ? (touched(one, person_id) ?? touched(other, person_id)) : undefined;
      if (act !== undefined) return { person_id, act };
    }
    return null;
  }
}

const known = new WeakMap<readonly Act[], Map<string, Independence>>();

/** Who stands behind whom; states share it as long as their acts and their day are the same. */
export function independenceIn({ acts, day }: Pick<State, 'acts' | 'day'>, apart: Rules['apart'] = 'behind'): Independence {
  const ofActs = known.get(acts) ?? new Map<string, Independence>();
  known.set(acts, ofActs);
  const found = ofActs.get(`${day} ${apart}`);
  if (found !== undefined) return found;
  const open = acts
    .filter(({ closes }) => closes === null || closes > day)
    .map(({ target, actor, kind, closes }, index): OpenAct => {
      const closes_at = closes === null ? null : new Date(closes * dayMs).toISOString();
      return { id: String(index), target_id: target, actor_id: actor, kind, created_at: '', closes_at };
    });
  const independence = apart === 'behind' ? new Independence(open) : new Shortened(open, apart);
  ofActs.set(`${day} ${apart}`, independence);
  return independence;
}

/** The administrators whose decisions count. */
export function countingIn({ accounts, day }: State): string[] {
  return accounts.filter((one) => isAdministrator(one) && one.counts_from <= day).map(({ id }) => id);
}

export function hasPairIn(state: State): boolean {
  return hasPair(countingIn(state), independenceIn(state));
}

/** True when what touches a decider takes two, whoever asks. */
export function takesTwoIn(rules: Rules, state: State, by: string): boolean {
  const waits = rules.wait && (accountOf(state, by)?.counts_from ?? 0) > state.day;
  return hasPairIn(state) || (waits && countingIn(state).length > 0);
}

/** Who could not give their vote or bypass any more. */
export function lostIn(state: State, { approvals, bypassed_by, policy }: Approval): string[] {
  const lost = approvals.filter(({ approver_id, step }) => {
    const account = accountOf(state, approver_id);
    const asked = policy.steps[step];
    return account === undefined || asked === undefined || !isDecider(account) || !isEligible(asked, asPerson(account));
  });
  const bypasser = bypassed_by === null ? undefined : accountOf(state, bypassed_by);
  const bypassLost = bypassed_by !== null && (bypasser === undefined || !isAdministrator(bypasser));
  return [...lost.map(({ approver_id }) => approver_id), ...(bypassLost ? [bypassed_by] : [])];
}
