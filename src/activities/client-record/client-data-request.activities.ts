import { systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import {
  answerers,
  dataRequestNotification,
  markTold,
  readForWorkflow,
} from '../../services/client-record/data-request/client-data-request-timer.service.ts';
import { loadDataRequest } from '../../services/client-record/data-request/client-data-request.queries.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';
import { clientDataRequestWorkflowId } from '../../workflows/client-record/client-data-request.contract.ts';
import type { ClientDataRequestActivities, ClientDataRequestInput } from '../../workflows/client-record/client-data-request.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'temporal'>;

/** The activities of `clientDataRequestWorkflow`. */
export function createClientDataRequestActivities(deps: Deps): ClientDataRequestActivities {
  const { db, env } = deps;
  const notify = createNotify(deps);
  return {
    readClientDataRequest: (input) => asActivity(() => readForWorkflow(db, actorOf(input), input.request_id)),
    tellOfClientDataRequest: ({ tenant_id, request_id, ...news }) =>
      asActivity(async () => {
        const actor = actorOf({ tenant_id, request_id });
        const request = await loadDataRequest(db, actor, request_id);
        if (request.status !== 'open') return;
        // Told before it is marked: a repetition after a crash finds the deliveries of the same occurrence.
        await notify(actor, dataRequestNotification(request, news, env.PUBLIC_URL), await answerers(db, actor));
        await unitOfWork(db, actor, (tx) => markTold(tx, request_id, news));
      }),
  };
}

function actorOf(input: ClientDataRequestInput): Actor {
  return systemActor(input.tenant_id, { workflow_id: clientDataRequestWorkflowId(input) });
}
