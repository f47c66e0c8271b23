import { checkAnswers, checkRepetitions } from './answers.ts';
import { checkApprovals } from './approvals.ts';
import { checkAudit } from './audit.ts';
import { checkFocusTimers } from './focus.ts';
import type { StormHistory } from './history.ts';
import { checkResults } from './results.ts';
import type { Finding } from './violation.ts';
import { checkWorkflows } from './workflows.ts';

/** The checks in the order of the seven promises. */
const checks: readonly ((history: StormHistory) => Promise<Finding>)[] = [
  checkAnswers,
  checkRepetitions,
  checkApprovals,
  checkFocusTimers,
  checkAudit,
  checkWorkflows,
  checkResults,
];

/** Checks everything, one after the other. */
export async function checkAll(history: StormHistory): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) findings.push(await check(history));
  return findings;
}
