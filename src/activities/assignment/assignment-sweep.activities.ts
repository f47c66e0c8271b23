import { asActivity } from '../../platform/temporal/application-failure.ts';
import { sweepAssignments } from '../../services/assignment/assignment-sweep.service.ts';
import type { AssignmentSweepActivities } from '../../workflows/assignment/assignment-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** The activity of `assignmentSweepWorkflow`. */
export function createAssignmentSweepActivities(
  deps: Pick<ActivityDeps, 'db' | 'temporal'>,
): AssignmentSweepActivities {
  return { sweepAssignments: () => asActivity(() => sweepAssignments(deps)) };
}
