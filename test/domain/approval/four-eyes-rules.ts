import { personRefusal, tiedVotes } from '../../../src/domain/approval/approval-independence.ts';
import type { PeopleFacts } from '../../../src/domain/approval/approval-independence.ts';
import { isWeaker } from '../../../src/domain/approval/approval-gate.ts';
import { isEligible } from '../../../src/domain/approval/approval-policy.ts';
import type { ApprovalPolicy } from '../../../src/domain/approval/approval-policy.ts';
import { canBeMet, robustnessFault } from '../../../src/domain/approval/approval-quorum.ts';
import { applyCommand, openApproval, refusal } from '../../../src/domain/approval/approval.ts';
import type { ApprovalCommand } from '../../../src/domain/approval/approval.ts';
import { independenceDaysOf, weakens } from '../../../src/domain/approval/gate-strength.ts';
import type { GateEffect } from '../../../src/domain/approval/gate-strength.ts';
import { accountOf, asPerson, deciders, independenceIn, isAdministrator, isDecider, lostIn, modelPolicy, takesTwoIn, timeOf } from './four-eyes-state.ts';
import type { Account, Act, Change, Guarded, Person, Request, Role, Rules, State } from './four-eyes-state.ts';

/*
 * What an account can do, judged by the functions of the product. Everything returns the next state, or null when the
 * rules refuse it.
 */

/** An account, and the person who really uses it. */
export interface Hand {
  readonly account: string;
  readonly person: Person;
}

/** Few accounts are enough for a maker, a puppet, its puppet and two honest people. */
const maximumAccounts = 6;
const daysOfNoes = 30;

/** Makes a change at once where a factor is enough, else opens a request for it. */
export function submit(rules: Rules, state: State, by: Hand, change: Change): State | null {
  const account = accountOf(state, by.account);
  if (account?.is_active !== true || !mayAsk(account, change) || !isPossible(rules, state, change)) return null;
  const policy = policyFor(rules, state, by.account, change);
  if (policy === null) return carryOut(rules, state, { change, actor: by.account, hands: [by.person], days: null });
  return open(rules, state, by, change, policy);
}

function mayAsk(account: Account, change: Change): boolean {
  return change.kind === 'run' || isAdministrator(account);
}

function isPossible(rules: Rules, state: State, change: Change): boolean {
  if (change.kind === 'run') return true;
  if (change.kind === 'policy') {
    if (change.effect.gate !== 'approval') return change.action === 'Y';
    return !rules.robust || isRobust(state, change.effect.policy, 'everybody');
  }
  if (change.kind === 'make') return state.accounts.length < maximumAccounts;
  const target = accountOf(state, change.target);
  if (target === undefined) return false;
  if (change.kind === 'activate') return !target.is_active;
  if (change.kind === 'suspend') return target.is_active;
  if (change.kind === 'grant') return target.role === 'junior';
  if ('to' in change) return target[change.kind === 'address' ? 'mailbox' : 'identity'] !== change.to;
  return target.role !== 'junior';
}

/** Answers of {@link isRobust} by everything that they depend on: most of the states of a search differ in other things. */
const robust = new Map<string, boolean>();

/** Whether a policy could serve everybody, or everybody who decides. */
export function isRobust(state: State, { steps }: ApprovalPolicy, among: 'everybody' | 'deciders'): boolean {
  const people = state.accounts.map(({ id, role, is_active }) => `${id} ${role} ${is_active}`);
  const acts = state.acts.filter(({ closes }) => closes === null || closes > state.day).map(({ target, actor }) => `${actor}>${target}`);
  const key = [...people, ...new Set(acts.toSorted()), JSON.stringify(steps), among].join();
  const found = robust.get(key);
  if (found !== undefined) return found;
  const requesters = state.accounts.filter((one) => (among === 'everybody' ? one.is_active : isDecider(one))).map(({ id }) => id);
  const answer = robustnessFault(steps, deciders(state), independenceIn(state), requesters) === null;
  robust.set(key, answer);
  return answer;
}

/** Whose approval a change takes; null where a factor is enough. */
function policyFor(rules: Rules, state: State, by: string, change: Change): ApprovalPolicy | null {
  if (change.kind === 'run') {
    const { gate, policy } = state.gates[change.action];
    return gate === 'approval' ? policy : null;
  }
  if (change.kind === 'policy') {
    const { gate, policy } = state.gates[change.action];
    if (!rules.weakening || isWeaker(gate, 'approval') || !weakens(state.gates[change.action], change.effect)) return null;
    return rules.robust && !isRobust(state, policy, rules.juniors_count ? 'everybody' : 'deciders') ? modelPolicy : policy;
  }
  return rules.deciders && concernsDecider(rules, state, change) && takesTwoIn(rules, state, by) ? modelPolicy : null;
}

function concernsDecider(rules: Rules, state: State, change: Exclude<Change, { kind: 'run' | 'policy' }>): boolean {
  if (change.kind === 'make') return change.role !== 'junior';
  if (change.kind === 'grant' || accountOf(state, change.target)?.role !== 'junior') return true;
  const independence = independenceIn(state);
  return rules.behind_deciders && state.accounts.some(({ id, role }) => role !== 'junior' && independence.behind(id).has(change.target));
}

export const digestOf = (change: Change): string => JSON.stringify(change);

function open(rules: Rules, state: State, by: Hand, change: Change, policy: ApprovalPolicy): State | null {
  const digest = digestOf(change);
  if (state.requests.some(({ approval }) => approval.digest === digest)) return null;
  const settled = { authors: [by.account], counted: [] };
  if (!canBeMet(policy.steps, deciders(state), independenceIn(state, rules.apart), settled)) return null;
  const approval = openApproval({ digest, requested_by: by.account, policy }, timeOf(state));
  const request: Request = { id: state.next, change, approval, writer: by.person, hands: {} };
  return { ...state, requests: [...state.requests, request], next: state.next + 1 };
}

export type Decision = 'approve' | 'reject' | 'break-glass' | 'edit' | 'cancel';

/** Why a decision is refused, or null. */
export function refusalOf(rules: Rules, state: State, by: string, request: Request, kind: Decision) {
  const account = accountOf(state, by);
  if (account?.is_active !== true) return { code: 'inactive' };
  if (['approve', 'reject'].includes(kind) && !isDecider(account)) return { code: 'no-right' };
  if (kind === 'break-glass' && !isAdministrator(account)) return { code: 'no-right' };
  const command = commandOf(account, request, kind);
  const now = timeOf(state);
  const refused = refusal(request.approval, command, now);
  if (refused !== null || (kind === 'break-glass' && !rules.glass)) return refused;
  return personRefusal(request.approval, command, factsOf(rules, state, account, request), now);
}

function commandOf(account: Account, { approval, change }: Request, kind: Decision) {
  const [by, { digest }] = [asPerson(account), approval];
  if (kind === 'cancel') return { kind, by } as const;
  if (kind === 'edit') return { kind, by, digest, new_digest: digestOf(edited(change)) } as const;
  return { kind, by, digest } as const;
}

/** The same action with another content. */
const edited = (change: Change): Change => (change.kind === 'run' ? { ...change, content: change.content + 1 } : change);

function factsOf(rules: Rules, state: State, { id, counts_from }: Account, { approval }: Request): PeopleFacts {
  const independence = independenceIn(state, rules.apart);
  const no = state.noes.find(
    ({ account, digest, day }) =>
      digest === approval.digest && day > state.day - daysOfNoes && (account === id || !independence.areApart(account, id)),
  );
  return {
    independence,
    people: deciders(state).filter((one) => approval.policy.steps.some((step) => isEligible(step, one))),
    counts_from: counts_from > state.day ? timeOf({ day: counts_from }) : null,
    requester_left: false,
    rejected_at: no === undefined || !rules.one_no ? null : 'before',
  };
}

/** Decides on a request, and makes its change when it is approved. */
export function decide(rules: Rules, state: State, by: Hand, request: Request, kind: Decision): State | null {
  const account = accountOf(state, by.account);
  if (account === undefined || refusalOf(rules, state, by.account, request, kind) !== null) return null;
  const command = commandOf(account, request, kind);
  const approval = applyCommand(request.approval, command, timeOf(state));
  if (kind === 'reject') {
    const no = { account: by.account, digest: approval.digest, day: state.day };
    return { ...without(state, request), noes: [...state.noes, no] };
  }
  if (kind === 'cancel') return without(state, request);
  if (kind === 'edit') {
    const change = edited(request.change);
    return withRequest(state, { ...request, change, approval, writer: by.person, hands: {} });
  }
  const hands = { ...request.hands, [by.account]: by.person };
  return execute(rules, withRequest(state, { ...request, approval, hands }), request.id);
}

const without = (state: State, { id }: Request): State => ({ ...state, requests: state.requests.filter((one) => one.id !== id) });

const withRequest = (state: State, request: Request): State => ({
  ...state,
  requests: state.requests.map((one) => (one.id === request.id ? request : one)),
});

/** Makes the change of an approved request, after the votes were judged again. */
export function execute(rules: Rules, state: State, id: number): State {
  const request = state.requests.find((one) => one.id === id);
  if (request?.approval.status !== 'approved') return state;
  const { approval, change } = request;
  const requester = accountOf(state, approval.requested_by);
  if (requester?.is_active !== true || !mayAsk(requester, change)) return without(state, request);
  const tied = tiedVotes(approval, independenceIn(state, rules.apart)).filter((one) => rules.glass || one !== approval.bypassed_by);
  const lost = [...lostIn(state, approval), ...tied];
  if (lost.length > 0) {
    const command: ApprovalCommand = { kind: 'return-to-review', lost };
    const next = withRequest(state, { ...request, approval: applyCommand(approval, command, timeOf(state)) });
    return execute(rules, next, id);
  }
  const rest = without(state, request);
  if (!isPossible(rules, rest, change)) return rest;
  const voters = approval.approvals.map(({ approver_id }) => approver_id);
  const used = approval.bypassed_by === null ? voters : [...voters, approval.bypassed_by];
  const hands = [request.writer, ...used.map((account) => request.hands[account] ?? request.writer)];
  return carryOut(rules, rest, { change, actor: approval.requested_by, hands, days: independenceDaysOf(approval.policy) });
}

interface Made {
  readonly change: Change;
  readonly actor: string;
  readonly hands: readonly Person[];
  /** How long it ties its author; null for what was made without approval. */
  readonly days: number | null;
}

function carryOut(rules: Rules, state: State, made: Made): State {
  const { change } = made;
  const isAlone = new Set(made.hands).size === 1;
  switch (change.kind) {
    case 'run': {
      const isViolated = isAlone && (change.action === 'X' || !state.y_is_free);
      return { ...state, ran: change.action, violation: isViolated ? `${change.action} ran` : state.violation };
    }
    case 'policy':
      return withGate(state, change.action, change.effect, isAlone);
    case 'make': {
      const id = `${change.claims}${state.next}`;
      const account = newAccount(id, change.claims, change.role, change.holder);
      return acted(rules, { ...state, accounts: [...state.accounts, account], next: state.next + 1 }, made, id, 'create');
    }
    case 'grant':
      return acted(rules, withAccount(state, change.target, { role: 'role-super-admin' }), made, change.target, 'grant');
    case 'take':
      return withAccount(state, change.target, { role: 'junior' });
    case 'suspend':
      return withAccount(state, change.target, { is_active: false });
    case 'activate':
      return acted(rules, withAccount(state, change.target, { is_active: true }), made, change.target, 'activate');
    case 'address':
      return acted(rules, withAccount(state, change.target, { mailbox: change.to }), made, change.target, 'address');
    case 'identity':
      return acted(rules, withAccount(state, change.target, { identity: change.to }), made, change.target, 'identity');
  }
}

export const newAccount = (id: string, claims: Person, role: Role, holder: Person, app: Person | null = null): Account => ({
  ...{ id, claims, role, is_active: true, app, counts_from: 0 },
  ...{ mailbox: holder, identity: null, password: holder },
});

export const withAccount = (state: State, id: string, changed: Partial<Account>): State => ({
  ...state,
  accounts: state.accounts.map((one) => (one.id === id ? { ...one, ...changed } : one)),
});

function withGate(state: State, action: Guarded, effect: GateEffect, isAlone: boolean): State {
  const old = state.gates[action];
  const isViolated = isAlone && old.gate === 'approval' && weakens(old, effect);
  const isFree = action === 'Y' ? effect.gate !== 'approval' && (!isAlone || state.y_is_free) : state.y_is_free;
  return {
    ...state,
    gates: { ...state.gates, [action]: effect },
    y_is_free: isFree,
    violation: isViolated ? `gate of ${action} weakened` : state.violation,
  };
}

function acted(rules: Rules, state: State, { actor, days }: Made, target: string, kind: Act['kind']): State {
  if (actor === target || (days !== null && rules.approved === 'closes')) return state;
  const closes = days === null ? (rules.alone === 'ages' ? state.day + modelDays : null) : state.day + days;
  const acts = [...state.acts, { target, actor, kind, closes }];
  const from = accountOf(state, actor)?.counts_from ?? 0;
  const mayWait = days === null && from > Math.max(state.day, accountOf(state, target)?.counts_from ?? 0);
  return { ...(mayWait ? withAccount(state, target, { counts_from: from }) : state), acts };
}

const modelDays = independenceDaysOf(modelPolicy);

/** Closes all acts on an account, as somebody who is apart from it. */
export function confirm(state: State, by: Hand, target: string): State | null {
  const account = accountOf(state, by.account);
  const isOpen = ({ closes }: Act) => closes === null || closes > state.day;
  if (account === undefined || !isDecider(account) || account.counts_from > state.day) return null;
  if (!state.acts.some((act) => act.target === target && isOpen(act))) return null;
  if (!independenceIn(state).areApart(by.account, target)) return null;
  return { ...state, acts: state.acts.filter((act) => act.target !== target) };
}

/** Waits; what was not decided in time is gone. */
export function wait(state: State, days: number): State {
  const day = state.day + days;
  return { ...state, day, requests: state.requests.filter(({ approval }) => timeOf({ day }) < approval.review_due_at) };
}
