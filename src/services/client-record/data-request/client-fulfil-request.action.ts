import { z } from 'zod';
import { dataRequestKinds, downloadDays } from '../../../domain/client-record/data-request.ts';
import { timestampText } from '../../../domain/shared/timestamp-text.ts';
import { now } from '../../../entities/shared/column-types.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import { uuid } from '../../../platform/value-schemas.ts';
import { actAuthority, defineAction } from '../../actions/action.ts';
import { subjectName } from '../../actions/subject-names.queries.ts';
import { clearOwnText } from '../../identity/person-traces.service.ts';
import { auditDataRequest } from './client-data-request-audit.service.ts';
import { sendDataRequestChanged } from './client-data-request.client.ts';
import { fulfilAction } from './client-data-request.queries.ts';
import type { FulfilPayload } from './client-data-request.queries.ts';
import { lockOpenDataRequest } from './client-data-request.repository.ts';
import { lockHeldClient, eraseClient } from './client-erase.service.ts';

/** The client is named, so that an erasure finds the approvals that speak of it. */
const payload = z.strictObject({ request_id: uuid, client_id: uuid, kind: z.enum(dataRequestKinds) });

const sentences = {
  access: (client: string) =>
    `Answer the request of the client ${client} for access: a file of everything that is held of them, with the full CPF, can be ` +
    `downloaded for ${downloadDays} days.`,
  erasure: (client: string) =>
    `Permanently erase the client ${client}, as they have asked: the record, those that were merged into it, and the key to what ` +
    'the audit log holds of them. A contact or prospect that it is linked to stays.',
} as const;

/**
 * Fulfils a request of a client about their data: opens the download of what is held, or erases the client. Neither can be taken
 * back, so two people decide.
 */
export const clientFulfilRequest = defineAction({
  name: fulfilAction,
  title: 'Fulfil the request of a client about their data',
  permission: 'client:answer-request',
  payload,
  unwrittenGate: 'approval',
  floor: () => 'approval',
  environment: () => null,
  reason: () => null,
  describe: ({ kind, client_id }) => sentences[kind](client_id),
  present: async (db, scope, { kind, client_id }) => {
    const name = await subjectName(db, scope, 'client', client_id);
    return { description: sentences[kind](name), changes: kind === 'erasure' ? [{ field: 'client', before: name, after: null }] : [] };
  },
  check: async (tx, given) => {
    await lockFulfillable(tx, given);
  },
  execute: async (tx, given, authority) => {
    const { client_id, kind } = given;
    const request = await lockFulfillable(tx, given);
    const approval_id = actAuthority(authority)?.approval_id ?? null;
    const fulfilled_at = now();
    const available_until = kind === 'access' ? timestampText(Date.parse(fulfilled_at) + downloadDays * 24 * 3_600_000) : null;
    tx.em.assign(request, { status: 'fulfilled', fulfilled_at, approval_id, available_until });
    await tx.flush();
    const erasure = kind === 'erasure' ? await eraseClient(tx, client_id, request.id) : null;
    if (erasure !== null) await clearOwnText(tx, authority, 'Permanently erase a client who has asked for it.');
    auditDataRequest(tx, erasure === null ? 'fulfil' : 'erase', request, { approval_id, available_until, ...erasure });
    return { request_ids: [request.id, ...(erasure?.withdrawn ?? [])] };
  },
  undo: () => null,
  afterCommit: async ({ temporal }, { actor, result }) => {
    const { request_ids } = z.object({ request_ids: z.array(uuid) }).parse(result);
    for (const request_id of request_ids) await sendDataRequestChanged({ temporal }, { tenant_id: actor.tenant_id, request_id });
  },
});

/** @throws Problem 404, `client.request-closed`, `resource.conflict` where the payload says something else than the request. */
async function lockFulfillable(tx: Tx, { request_id, client_id, kind }: FulfilPayload) {
  // The client first, as everywhere: who locks both never waits for who has one of them.
  await lockHeldClient(tx, client_id);
  const request = await lockOpenDataRequest(tx, request_id);
  if (request.client_id === client_id && request.kind === kind) return request;
  throw new Problem({ code: 'resource.conflict', detail: 'The request is about another client, or of another kind.' });
}
