import type { DataRequestKind } from '../../../domain/client-record/data-request.ts';
import { dueDay } from '../../../domain/client-record/data-request-times.ts';
import { ClientDataRequestEntity } from '../../../entities/client-record/client-data-request.entity.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { invalidInput } from '../../../platform/input-issues.ts';
import { Problem } from '../../../platform/problem.ts';
import { clientRules } from '../client.service.ts';
import { auditDataRequest } from './client-data-request-audit.service.ts';
import { lockOpenDataRequest } from './client-data-request.repository.ts';
import { lockHeldClient } from './client-erase.service.ts';
import { loadClientSettings } from './client-settings.service.ts';

/** What staff write down when a client asks. */
export interface NewDataRequest {
  readonly kind: DataRequestKind;
  /** `YYYY-MM-DD`; default: today in the time zone of the tenant. */
  readonly received_on?: string | undefined;
  readonly note?: string | null | undefined;
}

/**
 * Opens a request of a client, deleted ones included, with the due date that the settings give now.
 * * @param nowMs milliseconds since the epoch.
 * @throws Problem 404; 422 for a day after today; `client.request-open` where one of the kind is open; `resource.conflict` for a
 *   client that was erased or merged.
 */
export async function openDataRequest(tx: Tx, clientId: string, { kind, received_on, note = null }: NewDataRequest, nowMs: number): Promise<string> {
  // Under the client's lock, so that two requests do not open side by side, nor one beside an erasure.
  await lockHeldClient(tx, clientId);
  const { today } = await clientRules(tx, nowMs);
  const receivedOn = received_on ?? today;
  if (receivedOn > today) throw invalidInput([{ pointer: '/received_on', detail: `must not be after today, ${today}` }]);
  const open = await tx.sql
    .selectFrom('client_data_requests')
    .where('client_id', '=', clientId)
    .where('kind', '=', kind)
    .where('status', '=', 'open')
    .select(['id', 'due_on'])
    .executeTakeFirst();
  if (open !== undefined) {
    throw new Problem({
      code: 'client.request-open',
      detail: `The client has an open request for ${kind} already, due on ${open.due_on}.`,
      members: { existing: { request_id: open.id, due_on: open.due_on } },
    });
  }
  const { data_request_days, reminder_days } = await loadClientSettings(tx, tx.actor);
  const values = { kind, received_on: receivedOn, due_on: dueDay(receivedOn, data_request_days), note };
  const request = tx.em.create(ClientDataRequestEntity, {
    ...values,
    client_id: clientId,
    // A reminder on the day of receipt or before it would remind of nothing.
    reminder_days: reminder_days.filter((days) => days < data_request_days),
    created_by: tx.actor.user_id,
  });
  await tx.flush();
  auditDataRequest(tx, 'open', request, values);
  return request.id;
}

/** Refuses a request. @throws Problem 404, `client.request-closed`. */
export async function refuseDataRequest(tx: Tx, id: string, reason: string): Promise<void> {
  const request = await lockOpenDataRequest(tx, id);
  tx.em.assign(request, { status: 'refused', refusal_reason: reason });
  await tx.flush();
  auditDataRequest(tx, 'refuse', request, { reason });
}

/** Closes a request that the client has taken back. @throws Problem 404, `client.request-closed`. */
export async function withdrawDataRequest(tx: Tx, id: string): Promise<void> {
  const request = await lockOpenDataRequest(tx, id);
  tx.em.assign(request, { status: 'withdrawn' });
  await tx.flush();
  auditDataRequest(tx, 'withdraw', request);
}
