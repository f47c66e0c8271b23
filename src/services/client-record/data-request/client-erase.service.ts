import { sql } from 'kysely';
import type { ClientKind } from '../../../domain/client-record/client.ts';
import { ClientEntity } from '../../../entities/client-record/client.entity.ts';
import { now } from '../../../entities/shared/column-types.ts';
import { lockOne } from '../../../platform/database/entity-row.ts';
import { jsonb } from '../../../platform/database/jsonb.ts';
import { read } from '../../../platform/database/read.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import { nextVersion } from '../../../platform/row-version.ts';
import { erasePersonTraces } from '../../identity/person-traces.service.ts';
import { fulfilDigest } from './client-data-request.queries.ts';
import { clientIds } from './held-about-client.queries.ts';

/** What an erased client is called in the references that stay. */
const erasedNames: Readonly<Record<ClientKind, string>> = { person: 'Erased person', company: 'Erased company' };

/** What an erasure did beside the record. */
export interface ClientErasure {
  /** The client, and those that were merged into it. */
  readonly client_ids: string[];
  /** Its open access requests, which were withdrawn: nothing is left to show. */
  readonly withdrawn: string[];
  readonly approvals_erased: number;
}

/**
 * Locks a client whose data can be shown or erased.
 *
 * @throws Problem 404, `resource.conflict` for one that was erased, or merged: what was held of it is in the other one, whose requests
 *   cover both.
 */
export async function lockHeldClient(tx: Tx, clientId: string) {
  const client = await lockOne(tx, ClientEntity, { id: clientId }, 'client');
  if (client.erased_at != null) throw new Problem({ code: 'resource.conflict', detail: `The client was erased at ${client.erased_at}.` });
  if (client.merged_into_id == null) return client;
  throw new Problem({
    code: 'resource.conflict',
    detail: 'The client was merged into another one, whose requests cover it.',
    members: { existing: { client_id: client.merged_into_id } },
  });
}

/**
 * Erases a client for good, deleted before or not, and the clients that were merged into it. Their rows stay, without any personal
 * data, so that what refers to them still leads somewhere; the keys under which the audit seals what it holds about them are
 * destroyed, and its chain still verifies. The contact and the prospect that the client was made of are records of their own and
 * stay.
 *
 * @param answeredBy the request that the erasure answers; it stays open for its caller.
 * @throws Problem as {@link lockHeldClient}.
 */
export async function eraseClient(tx: Tx, clientId: string, answeredBy: string): Promise<ClientErasure> {
  await lockHeldClient(tx, clientId);
  const client_ids = (await read(tx, tx.actor, clientIds(clientId))).map(({ id }) => id);
  const clients = await tx.em.find(ClientEntity, { id: { $in: client_ids } });
  const erased_at = now();
  for (const client of clients) {
    tx.em.assign(client, {
      name: erasedNames[client.kind as ClientKind],
      cpf: null,
      cnpj: null,
      birth_date: null,
      email: null,
      phone_number: null,
      address: null,
      deleted_at: client.deleted_at ?? erased_at,
      erased_at,
    });
  }
  await tx.flush();
  const withdrawn = await closeRequests(tx, client_ids, answeredBy);
  let approvals_erased = 0;
  for (const id of client_ids) approvals_erased += await erasePersonTraces(tx, id);
  for (const id of client_ids) tx.audit({ event: 'client.erase', action: 'delete', resource_type: 'client', resource_id: id });
  return { client_ids, withdrawn, approvals_erased };
}

/** Withdraws the other open requests, ends downloads, and clears what people have written into all requests of the clients. */
async function closeRequests(tx: Tx, clientIds: readonly string[], answeredBy: string): Promise<string[]> {
  const closed = await tx.sql
    .updateTable('client_data_requests')
    .set({ status: 'withdrawn', version: nextVersion(), updated_at: sql<string>`now()` })
    .where('client_id', 'in', clientIds)
    .where('status', '=', 'open')
    .where('id', '<>', answeredBy)
    .returning(['id', 'client_id', 'kind'])
    .execute();
  await tx.sql
    .updateTable('client_data_requests')
    .set({
      note: null,
      refusal_reason: null,
      available_until: sql<string | null>`case when available_until > now() then now() else available_until end`,
      version: nextVersion(),
      updated_at: sql<string>`now()`,
    })
    .where('client_id', 'in', clientIds)
    .where((eb) => eb.or([eb('note', 'is not', null), eb('refusal_reason', 'is not', null), eb('available_until', '>', sql<string>`now()`)]))
    .execute();
  // An approval that waits to answer one of them names the client, and would be refused now.
  const digests = closed.map(({ id, client_id, kind }) => fulfilDigest({ request_id: id, client_id, kind }));
  if (digests.length > 0) {
    await tx.sql
      .updateTable('admin_approvals')
      .set({ description: 'Answer a request of an erased client.', changes: jsonb([]) })
      .where('digest', 'in', digests)
      .where('closed_at', 'is', null)
      .execute();
  }
  return closed.map(({ id }) => id);
}
