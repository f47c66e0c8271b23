import { sql } from 'kysely';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { fulfilAction } from './client-data-request.queries.ts';

/** The approval that waits to answer a request of one of the clients, where there is one. */
export async function waitingAnswer(tx: Tx, clientIds: readonly string[]): Promise<string | undefined> {
  const approval = await tx.sql
    .selectFrom('admin_approvals as a')
    .innerJoin('admin_approval_payloads as l', (join) => join.onRef('l.tenant_id', '=', 'a.tenant_id').onRef('l.digest', '=', 'a.digest'))
    // One of a request that was refused or withdrawn meanwhile answers nothing any more.
    .innerJoin('client_data_requests as r', (join) => join.on('r.status', '=', 'open').on(sql<boolean>`r.id::text = l.payload ->> 'request_id'`))
    .where('a.action', '=', fulfilAction)
    .where('a.closed_at', 'is', null)
    .where('r.client_id', 'in', clientIds)
    .select('a.id')
    .executeTakeFirst();
  return approval?.id;
}

/** The kind of which both clients have an open request, where there is one. */
export async function kindOpenAtBoth(tx: Tx, clientIds: readonly string[]): Promise<string | undefined> {
  const row = await tx.sql
    .selectFrom('client_data_requests')
    .where('client_id', 'in', clientIds)
    .where('status', '=', 'open')
    .groupBy('kind')
    .having(sql<boolean>`count(*) > 1`)
    .select('kind')
    .executeTakeFirst();
  return row?.kind;
}
