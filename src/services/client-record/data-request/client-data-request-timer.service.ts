import { tellingTimes } from '../../../domain/client-record/data-request-times.ts';
import type { DataRequestNews, DataRequestState } from '../../../domain/client-record/data-request.ts';
import type { Notification } from '../../../domain/notification/notification.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { now } from '../../../entities/shared/column-types.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { givingPermission } from '../../identity/role/decider.queries.ts';
import { auditDataRequest } from './client-data-request-audit.service.ts';
import { lockDataRequest } from './client-data-request.repository.ts';

/** A request as its workflow sees it; null when there is none. */
export async function readForWorkflow(db: ReadSource, scope: ReadScope, id: string): Promise<DataRequestState | null> {
  const query = kysely
    .selectFrom('client_data_requests as r')
    .innerJoin('tenants as t', 't.id', 'r.tenant_id')
    .where('r.id', '=', id)
    .select(['r.status', 'r.kind', 'r.due_on', 'r.reminder_days', 'r.reminded_days', 'r.overdue_told_at'])
    .select(['t.time_zone', 't.status as tenant_status']);
  const [row] = await read(db, scope, query);
  if (row === undefined) return null;
  // Copied field by field, so that nothing personal gets into the history of the workflow.
  const { status, kind, due_on, time_zone, tenant_status } = row;
  return { status, kind, due_on, ...tellingTimes(row, time_zone), is_silent: tenant_status === 'suspended' };
}

/** Who answers requests: everybody whose roles allow it. */
export async function answerers(db: ReadSource, scope: ReadScope): Promise<string[]> {
  const held = await read(db, scope, givingPermission('client:answer-request'));
  return [...new Set(held.map(({ user_id }) => user_id))].toSorted();
}

/** What is told of a request, without anything personal: any channel of the tenant may carry it. */
export function dataRequestNotification(
  request: { readonly id: string; readonly kind: DataRequestState['kind']; readonly due_on: string },
  news: DataRequestNews,
  publicUrl: string,
): Notification {
  const { id, kind, due_on } = request;
  const [headline, key] =
    news.news === 'overdue'
      ? [`A request of a client for ${kind} was due on ${due_on} and is not answered`, 'overdue']
      : [`A request of a client for ${kind} is due on ${due_on}`, `due/${news.days}`];
  return {
    event: `client.request-${news.news}`,
    event_key: `client-data-request/${id}/${key}`,
    subject: headline,
    text: `${headline}.\n\nAnswer it, or refuse it with a reason: ${new URL(`/api/v1/client-data-requests/${id}`, publicUrl).href}`,
    data: { request_id: id, kind, due_on },
  };
}

/** Records that something was told, so that it is not told again; with a reminder those before it have lapsed. */
export async function markTold(tx: Tx, id: string, news: DataRequestNews): Promise<void> {
  const request = await lockDataRequest(tx, id);
  tx.em.assign(request, news.news === 'overdue' ? { overdue_told_at: now() } : { reminded_days: news.days });
  await tx.flush();
  auditDataRequest(tx, news.news === 'overdue' ? 'overdue' : 'remind', request, { ...news, due_on: request.due_on });
}
