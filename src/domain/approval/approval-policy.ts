/** One step of an approval policy: `quorum` different people among the named roles and users must approve. */
export interface ApprovalStep {
  name: string;
  /** Role codes; whoever holds one of them is eligible. */
  roles: string[];
  /** User ids; named people are eligible whatever their roles. */
  users: string[];
  quorum: number;
}

/**
 * Who must approve a change, and how long they may take. Each request keeps the policy it was opened under, so that
 * relaxing it later approves nothing that is already waiting. Times are in seconds.
 */
export interface ApprovalPolicy {
  /** All of them, in this order: step 2 cannot act before step 1 is met. */
  steps: ApprovalStep[];
  /** From the opening of the request to the last possible decision. */
  review_window_seconds: number;
  /** From the last approval to the last possible execution. */
  execution_window_seconds: number;
  /** How often waiting approvers are reminded; 0 for never. */
  reminder_interval_seconds: number;
  /** User ids of those who may break the glass. Empty means nobody, not anybody. */
  bypassers: string[];
  /** How long after a bypass its review is due. */
  bypass_review_seconds: number;
  /**
   * How long whoever changes an account through an approved request stands behind it, in days; missing in policies that were
   * frozen by earlier releases.
   */
  independence_days?: number;
}

/** {@link ApprovalPolicy.independence_days} where nothing else is written (R3). */
export const defaultIndependenceDays = 30;

/** A person who could take part in a decision: active, with the right to decide. */
export interface EligiblePerson {
  user_id: string;
  roles: readonly string[];
}

/** What is wrong with an approval policy; `path` is a JSON pointer into it. */
interface PolicyFault {
  path: string;
  message: string;
}

/**
 * A day to review (S2-70), a day to execute, a reminder after six hours, a bypass reviewed within three days, a month until
 * an approved act on an account is settled.
 */
export const defaultWindows = {
  review_window_seconds: 24 * 3600,
  execution_window_seconds: 24 * 3600,
  reminder_interval_seconds: 6 * 3600,
  bypass_review_seconds: 72 * 3600,
  independence_days: defaultIndependenceDays,
} as const;

/** More steps than any organisation has levels; {@link policyFaults} examines every combination of steps. */
export const maximumSteps = 8;

/**
 * Why an approval policy cannot be met (S2-70). It needs at least one step, quorums that are whole numbers of at least
 * one, and enough different people for all steps together, since each person counts once in a request. The last is
 * Hall's condition: every choice of steps needs at least as many eligible people as the sum of its quorums.
 *
 * @param people everybody who may decide; for one request without its requester and editors, who cannot.
 * @returns the faults, none when the policy can be met.
 */
export function policyFaults(policy: Pick<ApprovalPolicy, 'steps'>, people: readonly EligiblePerson[]): PolicyFault[] {
  const { steps } = policy;
  if (steps.length === 0) return [{ path: '/steps', message: 'at least one step is needed' }];
  if (steps.length > maximumSteps) return [{ path: '/steps', message: `at most ${maximumSteps} steps are possible` }];
  const faults = steps.flatMap((step, index) => stepFaults(step, index, people));
  if (faults.length > 0) return faults;
  const crowded = tooFewPeopleFor(steps, people);
  if (crowded === null) return [];
  const names = crowded.map((step) => `'${step.name}'`).join(' and ');
  return [{ path: '/steps', message: `there are not enough different people for ${names}: each person counts once` }];
}

/** True when a step names the person, by id or by one of their roles. */
export function isEligible(step: ApprovalStep, person: EligiblePerson): boolean {
  return step.users.includes(person.user_id) || step.roles.some((role) => person.roles.includes(role));
}

function stepFaults(step: ApprovalStep, index: number, people: readonly EligiblePerson[]): PolicyFault[] {
  const path = `/steps/${index}/quorum`;
  if (!Number.isSafeInteger(step.quorum) || step.quorum < 1) {
    return [{ path, message: 'the quorum must be a whole number of at least 1' }];
  }
  const eligible = people.filter((person) => isEligible(step, person)).length;
  if (step.quorum <= eligible) return [];
  return [{ path, message: `the quorum is ${step.quorum}, but only ${eligible} could approve step '${step.name}'` }];
}

function tooFewPeopleFor(steps: readonly ApprovalStep[], people: readonly EligiblePerson[]): ApprovalStep[] | null {
  for (let choice = 1; choice < 1 << steps.length; choice += 1) {
    const chosen = steps.filter((_, index) => (choice >> index) % 2 === 1);
    const needed = chosen.reduce((sum, step) => sum + step.quorum, 0);
    const available = people.filter((person) => chosen.some((step) => isEligible(step, person))).length;
    if (available < needed) return chosen;
  }
  return null;
}
