import { actorInWorkflow } from '../../domain/shared/actor.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import { saveFocusSession } from '../../services/tracker/focus-session.repository.ts';
import { sweepFocusSessions } from '../../services/tracker/focus-session.service.ts';
import { focusSessionWorkflowId } from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusSessionActivities } from '../../workflows/tracker/focus-session.contract.ts';
import type { FocusSweepActivities } from '../../workflows/tracker/focus-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** Activities used by the workflows of focus sessions and of their sweep. */
export function createFocusSessionActivities(
  deps: Pick<ActivityDeps, 'db' | 'keyring' | 'temporal'>,
): FocusSessionActivities & FocusSweepActivities {
  return {
    sweepFocusSessions: ({ after }) => asActivity(() => sweepFocusSessions(deps, after)),
    saveFocusSession: (input) =>
      asActivity(() => {
        const { actor, workflow_key, session_id, command_id } = input;
        // Earlier releases sent the number only.
        const workflowId = focusSessionWorkflowId(actor.tenant_id, workflow_key ?? session_id ?? '');
        const acting = actorInWorkflow(actor, workflowId);
        return commandUnitOfWork(deps, acting, command_id, (tx) => saveFocusSession(tx, input));
      }),
  };
}
