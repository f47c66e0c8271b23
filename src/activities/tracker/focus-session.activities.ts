import { actorInWorkflow } from '../../domain/shared/actor.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { saveFocusSession } from '../../services/tracker/focus-session.repository.ts';
import { sweepFocusSessions } from '../../services/tracker/focus-session.service.ts';
import { focusSessionWorkflowId } from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusSessionActivities } from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusSweepActivities } from '../../workflows/tracker/focus-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** Activities used by the workflows of focus sessions and of their sweep. */
export function createFocusSessionActivities(
  deps: Pick<ActivityDeps, 'db' | 'temporal'>,
): FocusSessionActivities & FocusSweepActivities {
  return {
    sweepFocusSessions: ({ after }) => asActivity(() => sweepFocusSessions(deps, after)),
    saveFocusSession: (input) =>
      asActivity(() => {
        const workflowId = focusSessionWorkflowId(input.actor.tenant_id, input.session_id);
        return unitOfWork(deps.db, actorInWorkflow(input.actor, workflowId), (tx) => saveFocusSession(tx, input));
      }),
  };
}
