import { describe, expect, it } from '@jest/globals';
import { approvalBy, finishAlone, nameFromOutside, withoutApproval } from './four-eyes-moves.ts';
import { decide, refusalOf, submit, wait } from './four-eyes-rules.ts';
import type { Decision } from './four-eyes-rules.ts';
import { allRules } from './four-eyes-state.ts';
import type { Change, Guarded, Person, Role, Rules, State } from './four-eyes-state.ts';
import { starts } from './four-eyes-starts.ts';

/* The shortest ways that the model has found around rules that were thought to be enough. */

type Step = (rules: Rules, state: State) => State | null;

/** Everything in order; each step must be possible. */
function play(rules: Partial<Rules>, start: State, ...steps: Step[]): State {
  return steps.reduce((state, step, at) => {
    const next = step({ ...allRules, ...rules }, state);
    if (next === null) throw new Error(`step ${at + 1} is refused`);
    return next;
  }, start);
}

const as = (account: string, person: Person = 'mallory') => ({ account, person });

const does = (account: string, change: Change, person?: Person): Step => (rules, state) => submit(rules, state, as(account, person), change);
const makes = (account: string, role: Role): Step => does(account, { kind: 'make', claims: 'nobody', role, holder: 'mallory' });
const asks = (account: string, action: Guarded = 'X', person?: Person): Step => does(account, { kind: 'run', action, content: 0 }, person);
const says = (account: string, kind: Decision, person?: Person): Step => (rules, state) => decide(rules, state, as(account, person), state.requests[0]!, kind);
const waits = (days: number): Step => (_, state) => wait(state, days);
const named: Step = (_, state) => nameFromOutside(state);

const codeOf = (state: State, account: string, kind: Decision) => refusalOf(allRules, state, account, state.requests[0]!, kind)?.code;

const { 'three administrators': three, 'alone, with a junior made alone': alone } = starts;

describe('a junior whom I made asks and I approve', () => {
  const steps = [makes('mallory', 'junior'), asks('nobody1')];

  it('is refused, and somebody else may approve it', () => {
    const asked = play({}, three, ...steps);
    expect(codeOf(asked, 'mallory', 'approve')).toBe('approval.not-independent');
    expect(play({}, asked, says('alice', 'approve', 'alice'))).toMatchObject({ ran: 'X', violation: null });
  });

  it('is refused after 31 days, and after 400', () => {
    for (const days of [31, 400]) {
      const asked = play({}, three, makes('mallory', 'junior'), waits(days), asks('nobody1'));
      expect(codeOf(asked, 'mallory', 'approve')).toBe('approval.not-independent');
    }
  });

  it('would run if only the author were asked about, or if time made it good', () => {
    expect(play({ apart: 'author-touched-decider' }, three, ...steps, says('mallory', 'approve')).violation).toBe('X ran');
    const ripened = [makes('mallory', 'junior'), waits(31), asks('nobody1'), says('mallory', 'approve')];
    expect(play({ alone: 'ages' }, three, ...ripened).violation).toBe('X ran');
  });
});

describe('puppets that were made while I was alone', () => {
  it('a puppet’s puppet asks and I approve: refused, though one step back shows nothing', () => {
    const steps = [makes('mallory', 'role-super-admin'), makes('nobody1', 'junior'), named, asks('nobody2')];
    expect(codeOf(play({}, alone, ...steps), 'mallory', 'approve')).toBe('approval.not-independent');
    expect(play({ apart: 'one-step' }, alone, ...steps, says('mallory', 'approve')).violation).toBe('X ran');
  });

  it('two puppets of one maker, one asks and the other approves: refused', () => {
    const steps = [makes('mallory', 'role-super-admin'), makes('mallory', 'role-super-admin'), named, asks('nobody1')];
    expect(codeOf(play({}, alone, ...steps), 'nobody2', 'approve')).toBe('approval.not-independent');
    expect(play({ apart: 'author-touched-decider' }, alone, ...steps, says('nobody2', 'approve')).violation).toBe('X ran');
  });

  it('do not confirm one another, and nothing opens while nobody is apart', () => {
    const made = play({}, alone, makes('mallory', 'role-super-admin'), makes('nobody1', 'role-super-admin'), waits(400));
    expect(asks('mallory')(allRules, made)).toBeNull();
    expect(finishAlone(allRules, made)).toBeNull();
  });
});

describe('a sleeper', () => {
  const address: Step = does('mallory', { kind: 'address', target: 'carol', to: 'mallory' });
  const steps = [address, waits(1), does('mallory', { kind: 'grant', target: 'carol' }), says('alice', 'approve', 'alice'), asks('mallory')];
  const { 'two administrators and a junior': two } = starts;

  it('an old account whose address I changed the day before it was given the right: its vote does not count', () => {
    const asked = play({}, two, ...steps);
    expect(codeOf(asked, 'carol', 'approve')).toBe('approval.not-independent');
  });

  it('counts as little when the grant has aged out, and would if the address had', () => {
    const later = [address, does('mallory', { kind: 'grant', target: 'carol' }), says('alice', 'approve', 'alice'), waits(31), asks('mallory')];
    expect(codeOf(play({}, two, ...later), 'carol', 'approve')).toBe('approval.not-independent');
    expect(play({ alone: 'ages' }, two, ...later, says('carol', 'approve')).violation).toBe('X ran');
  });

  it('counts as little in the minute of the grant, and would if what was approved tied nobody', () => {
    const minute = [makes('mallory', 'role-super-admin'), says('alice', 'approve', 'alice'), asks('nobody2')];
    expect(codeOf(play({}, three, ...minute), 'mallory', 'approve')).toBe('approval.not-independent');
    expect(play({ approved: 'closes' }, three, ...minute, says('mallory', 'approve')).violation).toBe('X ran');
  });
});

describe('the own glass', () => {
  const { 'bypassers named by a vote': start } = starts;

  it('is not broken, nor by a puppet’s maker; somebody else’s is', () => {
    expect(codeOf(play({}, start, asks('mallory')), 'mallory', 'break-glass')).toBe('approval.bypass-own-request');
    const puppet = play({}, start, makes('mallory', 'junior'), asks('nobody1'));
    expect(codeOf(puppet, 'mallory', 'break-glass')).toBe('approval.bypass-own-request');
    expect(play({}, start, asks('bob', 'X', 'bob'), says('mallory', 'break-glass'))).toMatchObject({ ran: 'X', violation: null });
    expect(play({ glass: false }, start, asks('mallory'), says('mallory', 'break-glass')).violation).toBe('X ran');
  });

  it('is not named by one person either', () => {
    const waiting = play({}, three, does('mallory', { kind: 'policy', action: 'X', effect: approvalBy({ bypassers: ['mallory'] }) }));
    expect(waiting).toMatchObject({ gates: three.gates, requests: [{ change: { kind: 'policy' } }] });
  });
});

describe('a gate that is set to `none`', () => {
  const opens = does('mallory', { kind: 'policy', action: 'Y', effect: withoutApproval('none') });

  it('waits for somebody else, who takes Y out of approval for everybody', () => {
    const waiting = play({}, three, opens);
    expect(waiting.gates).toEqual(three.gates);
    expect(finishAlone(allRules, waiting)).toBeNull();
    expect(play({}, waiting, says('alice', 'approve', 'alice'), asks('mallory', 'Y'))).toMatchObject({ ran: 'Y', violation: null });
  });

  it('would be one move if it took a factor', () => {
    expect(play({ weakening: false }, three, opens).violation).toBe('gate of Y weakened');
  });

  it('is impossible for X, which has a floor', () => {
    expect(does('mallory', { kind: 'policy', action: 'X', effect: withoutApproval('mfa') })({ ...allRules, weakening: false }, three)).toBeNull();
  });

  it('is no hostage: a policy that only I could meet is not written', () => {
    const mine = approvalBy({ steps: [{ name: 'mine', roles: [], users: ['mallory'], quorum: 1 }] });
    expect(does('mallory', { kind: 'policy', action: 'X', effect: mine })(allRules, three)).toBeNull();
  });
});

describe('a way in of a colleague', () => {
  it('is not taken alone once there is a pair; taken before, it gives no second person', () => {
    const takes = does('mallory', { kind: 'address', target: 'bob', to: 'mallory' });
    expect(play({}, three, takes).requests).toHaveLength(1);
    const taken = play({ deciders: false }, three, takes, asks('bob'));
    expect(codeOf(taken, 'mallory', 'approve')).toBe('approval.not-independent');
    expect(finishAlone(allRules, taken)).toBeNull();
  });
});
