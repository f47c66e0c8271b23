import { ClientDataRequestEntity } from '../../../entities/client-record/client-data-request.entity.ts';
import { lockOne } from '../../../platform/database/entity-row.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';

/** Loads and locks a request, whatever became of it. @throws Problem 404. */
export function lockDataRequest(tx: Tx, id: string) {
  return lockOne(tx, ClientDataRequestEntity, { id }, 'request');
}

/** Loads and locks a request that waits for its answer. @throws Problem 404, `client.request-closed`. */
export async function lockOpenDataRequest(tx: Tx, id: string) {
  const request = await lockDataRequest(tx, id);
  if (request.status === 'open') return request;
  throw new Problem({
    code: 'client.request-closed',
    detail: `The request is ${request.status}, which is final.`,
    members: { request_status: request.status },
  });
}
