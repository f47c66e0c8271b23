import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { applyCommand, openApproval, refusal } from '../../../src/domain/approval/approval.ts';
import type { Approval, ApprovalCommand } from '../../../src/domain/approval/approval.ts';
import { sameJson } from '../../../src/domain/shared/canonical.ts';
import type { ApprovalPolicy, EligiblePerson } from '../../../src/domain/approval/approval-policy.ts';

/*
 * The model does not know the state that the implementation stores. It keeps the log of accepted commands and derives
 * from the log alone, by the requirements, what is allowed and what must hold.
 */

type Entry = { command: ApprovalCommand; at: number };

interface Model {
  log: Entry[];
  now: number;
}

interface Real {
  approval: Approval;
  executions: number;
}

const everybody: EligiblePerson[] = [
  { user_id: 'rita', roles: ['security', 'platform', 'admin'] },
  { user_id: 'sam', roles: ['security'] },
  { user_id: 'sue', roles: ['security'] },
  { user_id: 'pia', roles: ['platform'] },
  { user_id: 'pat', roles: ['platform', 'security'] },
  { user_id: 'ned', roles: [] },
];

const reviewWindowSeconds = 100;

function policyWith(steps: ApprovalPolicy['steps']): ApprovalPolicy {
  return {
    steps,
    review_window_seconds: reviewWindowSeconds,
    execution_window_seconds: 50,
    reminder_interval_seconds: 0,
    bypassers: ['ned', 'rita'],
    bypass_review_seconds: 10,
  };
}

/**
 * The approvals of the log that count now, in order: since the last edit, of people who have not lost the right since.
 */
function standing(log: Entry[], policy: ApprovalPolicy): { user: string; step: number }[] {
  let votes: { user: string; step: number }[] = [];
  for (const { command } of log) {
    if (command.kind === 'edit') votes = [];
    if (command.kind === 'approve') {
      const step = policy.steps.findIndex(
        (candidate, at) => votes.filter((vote) => vote.step === at).length < candidate.quorum,
      );
      votes.push({ user: command.by.user_id, step });
    }
    if (command.kind === 'return-to-review' || command.kind === 'withdraw') {
      const lost = command.kind === 'withdraw' ? [command.by.user_id] : command.lost;
      const fallen = votes.filter((vote) => lost.includes(vote.user)).map((vote) => vote.step);
      if (fallen.length > 0) {
        votes = votes.filter(
          (vote) =>
            vote.step < Math.min(...fallen) || (vote.step === Math.min(...fallen) && !lost.includes(vote.user)),
        );
      }
    }
  }
  return votes;
}

const authors = (log: Entry[]): string[] => [
  'rita',
  ...log.flatMap(({ command }) => (command.kind === 'edit' ? [command.by.user_id] : [])),
];

const shownDigest = (log: Entry[]): string =>
  log.reduce((digest, { command }) => (command.kind === 'edit' ? command.new_digest : digest), 'd0');

function isMet(log: Entry[], policy: ApprovalPolicy): boolean {
  const votes = standing(log, policy);
  return policy.steps.every((step, at) => votes.filter((vote) => vote.step === at).length >= step.quorum);
}

/** The phase of the request, derived from the log: pending, approved or closed. */
function phase(log: Entry[], policy: ApprovalPolicy): 'open' | 'agreed' | 'over' {
  if (log.some(({ command }) => ['reject', 'cancel', 'expire', 'abort', 'execute', 'fail'].includes(command.kind)))
    return 'over';
  return isBypassed(log) || isMet(log, policy) ? 'agreed' : 'open';
}

/** Somebody has bypassed the present revision and still has the right to. */
function isBypassed(log: Entry[]): boolean {
  const since = log.findLastIndex(({ command }) => command.kind === 'break-glass');
  const bypass = log[since]?.command;
  if (bypass?.kind !== 'break-glass') return false;
  return !log.slice(since + 1).some(({ command }) => {
    if (command.kind === 'return-to-review') return command.lost.includes(bypass.by.user_id);
    return command.kind === 'edit';
  });
}

function allowed(model: Model, policy: ApprovalPolicy, command: ApprovalCommand): boolean {
  const now = phase(model.log, policy);
  if (now === 'over') return false;
  const inTime = model.now < reviewWindowSeconds * 1000;
  switch (command.kind) {
    case 'expire':
    case 'abort':
      return true;
    case 'execute':
    case 'fail':
    case 'return-to-review':
      return now === 'agreed';
    case 'cancel':
      return authors(model.log).includes(command.by.user_id);
    case 'withdraw':
      return now === 'open' && standing(model.log, policy).some((vote) => vote.user === command.by.user_id);
    case 'edit':
      return inTime && command.digest === shownDigest(model.log) && command.new_digest !== command.digest;
    case 'break-glass':
      return (
        now === 'open' &&
        inTime &&
        command.digest === shownDigest(model.log) &&
        policy.bypassers.includes(command.by.user_id)
      );
    case 'approve':
    case 'reject': {
      if (now !== 'open' || !inTime || command.digest !== shownDigest(model.log)) return false;
      if (authors(model.log).includes(command.by.user_id)) return false;
      const votes = standing(model.log, policy);
      if (votes.some((vote) => vote.user === command.by.user_id)) return false;
      const waiting = policy.steps.filter((step, at) => votes.filter((vote) => vote.step === at).length < step.quorum);
      const asked = command.kind === 'approve' ? waiting.slice(0, 1) : policy.steps;
      return asked.some(
        (step) => step.users.includes(command.by.user_id) || step.roles.some((role) => command.by.roles.includes(role)),
      );
    }
  }
}

class Send implements fc.Command<Model, Real> {
  private readonly policy: ApprovalPolicy;
  private readonly make: (digest: string) => ApprovalCommand;
  private readonly laterMs: number;

  constructor(policy: ApprovalPolicy, make: (digest: string) => ApprovalCommand, laterMs: number) {
    this.policy = policy;
    this.make = make;
    this.laterMs = laterMs;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    commandsRun += 1;
    model.now += this.laterMs;
    const command = this.make(shownDigest(model.log));
    const refused = refusal(real.approval, command, model.now);
    const isAllowed = allowed(model, this.policy, command);
    demand((refused === null) === isAllowed, `${command.kind} must be ${isAllowed ? 'accepted' : 'refused'}`);
    if (refused !== null) {
      demand(
        throwsRangeError(() => applyCommand(real.approval, command, model.now)),
        'a refused command must not apply',
      );
      return;
    }
    const before = JSON.stringify(real.approval);
    const next = applyCommand(real.approval, command, model.now);
    demand(JSON.stringify(real.approval) === before, 'the request that was given must stay as it is');
    model.log.push({ command, at: model.now });
    real.approval = next;
    if (next.status === 'executed') real.executions += 1;
    this.invariants(model, real);
  }

  private invariants(model: Model, { approval, executions }: Real): void {
    const votes = standing(model.log, this.policy);
    const users = votes.map((vote) => vote.user);
    const steps = votes.map((vote) => vote.step);
    const counted = approval.approvals.map(({ approver_id }) => approver_id);
    demand(sameJson(counted, users), 'exactly the standing approvals count');
    demand(new Set(users).size === users.length, 'each person counts once');
    demand(!users.some((user) => authors(model.log).includes(user)), 'no author approves');
    demand(
      sameJson(
        steps,
        steps.toSorted((left, right) => left - right),
      ),
      'steps are met in order',
    );
    demand(approval.digest === shownDigest(model.log), 'approvals are about what is shown');
    demand(executions <= 1, 'a request is executed once');
    const isAgreed = approval.bypassed_by !== null || isMet(model.log, this.policy);
    demand(isAgreed || !['approved', 'executed'].includes(approval.status), 'nothing is approved without its policy');
    const hasWindow = approval.status !== 'pending' && phaseBeforeEnd(model.log, this.policy) !== 'open';
    demand((approval.execution_due_at !== null) === hasWindow, 'the execution window runs from the approval');
  }

  toString(): string {
    return `${JSON.stringify(this.make('shown'))} after ${this.laterMs} ms`;
  }
}

/** The phase of a closed request before it was closed. */
function phaseBeforeEnd(log: Entry[], policy: ApprovalPolicy): 'open' | 'agreed' | 'over' {
  const current = phase(log, policy);
  return current === 'over' ? phase(log.slice(0, -1), policy) : current;
}

let commandsRun = 0;

/** An assertion without a matcher: there are hundreds of thousands of them, and a matcher each would take a minute. */
function demand(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule);
}

function throwsRangeError(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return error instanceof RangeError;
  }
}

const person = fc.constantFrom(...everybody);
const step = fc.record({
  name: fc.constant('step'),
  roles: fc.subarray(['security', 'platform'], { minLength: 1 }),
  users: fc.subarray(['ned']),
  quorum: fc.integer({ min: 1, max: 2 }),
});

/** Mostly the present digest, sometimes an old one. */
const digestChoice = fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constant('d0') });
const newDigest = fc.integer({ min: 0, max: 5 }).map((value) => `d${value}`);
const later = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 500 }) },
  { weight: 1, arbitrary: fc.constant(60_000) },
);

function commandsFor(policy: ApprovalPolicy): fc.Arbitrary<Iterable<fc.Command<Model, Real>>> {
  const send = (make: fc.Arbitrary<(digest: string) => ApprovalCommand>) =>
    fc.tuple(make, later).map(([build, laterMs]) => new Send(policy, build, laterMs));
  const approve = send(
    fc.tuple(person, digestChoice).map(([by, other]) => (digest) => ({ kind: 'approve', by, digest: other ?? digest })),
  );
  return fc.commands(
    [
      approve,
      approve,
      approve,
      approve,
      approve,
      send(
        fc
          .tuple(person, digestChoice)
          .map(([by, other]) => (digest) => ({ kind: 'reject', by, digest: other ?? digest })),
      ),
      send(
        fc
          .tuple(person, digestChoice)
          .map(([by, other]) => (digest) => ({ kind: 'break-glass', by, digest: other ?? digest })),
      ),
      send(
        fc.tuple(person, newDigest).map(([by, new_digest]) => (digest) => ({ kind: 'edit', by, digest, new_digest })),
      ),
      send(person.map((by) => () => ({ kind: 'cancel', by }))),
      send(person.map((by) => () => ({ kind: 'withdraw', by }))),
      send(
        fc
          .subarray(everybody.map((someone) => someone.user_id))
          .map((lost) => () => ({ kind: 'return-to-review', lost })),
      ),
      send(
        fc
          .constantFrom<ApprovalCommand>(
            { kind: 'execute' },
            { kind: 'execute' },
            { kind: 'fail' },
            { kind: 'expire' },
            { kind: 'abort' },
          )
          .map((command) => () => command),
      ),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

describe('approval request against its model', () => {
  it('agrees over at least 20,000 commands: no self-approval, no approval survives an edit, one execution at most', () => {
    const scenario = fc
      .array(step, { minLength: 1, maxLength: 3 })
      .map(policyWith)
      .chain((policy) => fc.tuple(fc.constant(policy), commandsFor(policy)));
    fc.assert(
      fc.property(scenario, ([policy, commands]) => {
        fc.modelRun(
          () => ({
            model: { log: [], now: 0 },
            real: { approval: openApproval({ digest: 'd0', requested_by: 'rita', policy }, 0), executions: 0 },
          }),
          commands,
        );
      }),
      { numRuns: 1_300 },
    );
    expect(commandsRun).toBeGreaterThanOrEqual(20_000);
  });
});
