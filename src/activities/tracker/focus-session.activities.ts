import { actorOfRef } from '../../domain/shared/actor.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { commandUnitOfWork } from '../../services/commands/command.repository.ts';
import { putRefresh } from '../../services/commands/workflow-start.repository.ts';
import { readSession, saveFocusSession } from '../../services/tracker/focus-session.repository.ts';
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
        const acting = actorOfRef(actor, workflowId);
        return commandUnitOfWork(
          deps,
          acting,
          command_id,
          async (tx) => {
            const saved = await saveFocusSession(tx, input);
            if (input.change !== 'begin') putRefresh(tx, command_id, 'focus-refresh', { workflow_key: String(workflow_key ?? session_id) });
            return saved;
          },
          // Other changes may have followed, and the workflow takes the answer over as its state.
          session_id === null ? undefined : (tx) => readSession(tx, session_id),
        );
      }),
    readFocusSession: ({ actor, workflow_key, session_id }) =>
      asActivity(() => {
        const acting = actorOfRef(actor, focusSessionWorkflowId(actor.tenant_id, workflow_key));
        return unitOfWork(deps.db, acting, (tx) => readSession(tx, session_id));
      }),
  };
}
