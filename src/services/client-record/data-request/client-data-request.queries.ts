import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { z } from 'zod';
import type { DataRequestKind, DataRequestStatus } from '../../../domain/client-record/data-request.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { parseCursor, timeOrDay, toPage } from '../../../platform/database/keyset-page.ts';
import type { Page } from '../../../platform/database/keyset-page.ts';
import { read } from '../../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../../platform/database/read.ts';
import { notFound } from '../../../platform/problem.ts';
import { payloadDigest } from '../../../platform/security/digest.ts';

/** Which requests a list holds; what is undefined does not narrow it. */
export interface DataRequestListing extends Page {
  readonly status?: DataRequestStatus | undefined;
  readonly kind?: DataRequestKind | undefined;
  readonly client_id?: string | undefined;
  /** `YYYY-MM-DD`; due before this day. */
  readonly due_before?: string | undefined;
  /** Whether they are open past their due date. */
  readonly overdue?: boolean | undefined;
}

/** Days from today in the time zone of the tenant; `r` is the row of the request, `t` its tenant. */
const daysLeft = sql<number>`(r.due_on - (now() at time zone t.time_zone)::date)`;

function requestsQuery() {
  return kysely
    .selectFrom('client_data_requests as r')
    .innerJoin('tenants as t', 't.id', 'r.tenant_id')
    .innerJoin('clients as c', 'c.id', 'r.client_id')
    .leftJoin('users as u', 'u.id', 'r.created_by')
    .select(['r.id', 'r.client_id', 'c.name as client_name', 'r.kind', 'r.status', 'r.received_on', 'r.due_on', 'r.reminder_days'])
    .select(sql<number | null>`case when r.status = 'open' then ${daysLeft} end`.as('days_left'))
    .select(sql<boolean>`(r.status = 'open' and ${daysLeft} < 0)`.as('is_overdue'))
    .select(['r.note', 'r.refusal_reason', 'r.created_by', 'u.full_name as created_by_name', 'r.approval_id', 'r.fulfilled_at'])
    .select(['r.available_until', 'r.created_at', 'r.updated_at', 'r.version']);
}

/** The condition on a row `r`. That of overdue ones compares with one day, read once, so that it bounds what is read of an index. */
function matches({ tenant_id }: ReadScope, { status, kind, client_id, due_before, overdue }: DataRequestListing): RawBuilder<boolean> {
  const today = sql`(select (now() at time zone time_zone)::date from tenants where id = ${tenant_id}::uuid)`;
  const isOpen = sql`r.status = 'open'`;
  const notOverdue = status === 'open' ? sql`r.due_on >= ${today}` : sql`not (${isOpen} and r.due_on < ${today})`;
  const conditions = [
    sql`true`,
    ...(status === undefined ? [] : [sql`r.status = ${status}`]),
    ...(kind === undefined ? [] : [sql`r.kind = ${kind}`]),
    ...(client_id === undefined ? [] : [sql`r.client_id = ${client_id}::uuid`]),
    ...(due_before === undefined ? [] : [sql`r.due_on < ${due_before}::date`]),
    ...(overdue === undefined ? [] : [overdue ? sql`${isOpen} and r.due_on < ${today}` : notOverdue]),
  ];
  return sql<boolean>`(${sql.join(conditions, sql` and `)})`;
}

const duePosition = z.tuple([timeOrDay, z.guid()]);

/** A page of requests, the first to fall due first. @throws Problem `request.cursor-invalid`. */
export async function listDataRequests(db: ReadSource, scope: ReadScope, listing: DataRequestListing) {
  const after = parseCursor(listing.cursor, duePosition);
  const page = requestsQuery()
    .where(matches(scope, listing))
    .$if(after !== null, (q) => q.where(sql<boolean>`(r.due_on, r.id) > (${after?.[0]}::date, ${after?.[1]}::uuid)`))
    .orderBy('r.due_on')
    .orderBy('r.id')
    .limit(listing.limit + 1);
  return toPage(await read(db, scope, page), listing.limit, ({ due_on, id }) => [due_on, id], (row) => row);
}

/** One request as lists show it. @throws Problem 404. */
export async function loadDataRequest(db: ReadSource, scope: ReadScope, id: string) {
  const [request] = await read(db, scope, requestsQuery().where('r.id', '=', id));
  if (request === undefined) throw notFound('request');
  return request;
}

/** The name of the action that fulfils requests; gates and approvals know it by this. */
export const fulfilAction = 'client.fulfil-request';

/** What the action is asked with. */
export interface FulfilPayload {
  readonly request_id: string;
  readonly client_id: string;
  readonly kind: DataRequestKind;
}

/** The digest by which an approval of the fulfilment is found. */
export function fulfilDigest(payload: FulfilPayload): string {
  return payloadDigest({ action: fulfilAction, environment: null, payload });
}

/**
 * One request with what staff have to know to answer it: the approval that is under way, and the contact and the prospect that the
 * client is linked to, which are records of their own that an erasure leaves as they are.
 *
 * @throws Problem 404.
 */
export async function showDataRequest(db: ReadSource, scope: ReadScope, id: string) {
  const query = requestsQuery()
    .leftJoin('contacts as k', (join) => join.onRef('k.tenant_id', '=', 'c.tenant_id').onRef('k.id', '=', 'c.contact_id'))
    .leftJoin('admin_prospects as p', (join) => join.onRef('p.tenant_id', '=', 'c.tenant_id').onRef('p.id', '=', 'c.prospect_id'))
    .where('r.id', '=', id)
    .select(['k.id as k_id', 'k.name as k_name', 'k.deleted_at as k_deleted_at'])
    .select(['p.id as p_id', 'p.name as p_name', 'p.deleted_at as p_deleted_at'])
    .select(
      sql<string | null>`(
        select a.id from admin_approvals a join admin_approval_payloads l on l.tenant_id = a.tenant_id and l.digest = a.digest
        where r.status = 'open' and a.action = ${fulfilAction} and a.closed_at is null and l.payload ->> 'request_id' = r.id::text limit 1)`.as('open_approval_id'),
    );
  const [found] = await read(db, scope, query);
  if (found === undefined) throw notFound('request');
  const { k_id, k_name, k_deleted_at, p_id, p_name, p_deleted_at, ...request } = found;
  return {
    ...request,
    contact: k_id === null ? null : { id: k_id, name: k_name, deleted_at: k_deleted_at },
    prospect: p_id === null ? null : { id: p_id, name: p_name, deleted_at: p_deleted_at },
  };
}

/** What the action that fulfils a request is asked with. @throws Problem 404. */
export async function fulfilPayload(db: ReadSource, scope: ReadScope, id: string): Promise<FulfilPayload> {
  const { client_id, kind } = await loadDataRequest(db, scope, id);
  return { request_id: id, client_id, kind };
}
