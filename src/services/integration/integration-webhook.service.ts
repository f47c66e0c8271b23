import { sql } from 'kysely';
import type { WebhookSourceConfig } from '../../domain/integration/integration.ts';
import { asIdentifier, atPointer, partitionRecords } from '../../domain/integration/integration-records.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { integrationSecretPlace } from './integration.repository.ts';
import { upsertRecords } from './integration-sync.repository.ts';

/** A webhook source that a message was sent to, and the actor that stores the message in its tenant. */
interface WebhookSource {
  readonly id: string;
  readonly config: WebhookSourceConfig;
  readonly is_enabled: boolean;
  readonly secret_ciphertext: string;
  readonly actor: Actor;
}

/**
 * Finds a webhook source by the id in its address. From then on the request acts inside the tenant of the source, as a
 * service without a user or permissions.
 *
 * @throws Problem 404.
 */
export async function findWebhookSource(db: Database, anonymous: Actor, id: string): Promise<WebhookSource> {
  const statement = sql<{ tenant_id: string }>`select tenant_id from find_webhook_source(${id}::uuid)`;
  const [owner] = await read(db, anonymous, { compile: () => statement.compile(kysely) });
  if (owner === undefined) throw notFound('webhook source');
  const { ip, user_agent, request_id, trace_id } = anonymous;
  const actor: Actor = { ...systemActor(owner.tenant_id), kind: 'service', ip, user_agent, request_id, trace_id };
  const [row] = await read(
    db,
    actor,
    kysely
      .selectFrom('admin_integrations')
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .select(['id', 'config', 'is_enabled', 'secret_ciphertext']),
  );
  if (row === undefined || row.config.kind !== 'webhook_source') throw notFound('webhook source');
  return { ...row, config: row.config, actor };
}

/** The secret that messages of a source are signed with. */
export function webhookSecret(keyring: Keyring, { id, secret_ciphertext }: WebhookSource): string {
  return keyring.open(secret_ciphertext, integrationSecretPlace(id));
}

/** What became of a message: stored, or known already. */
interface ReceivedMessage {
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'repeated';
  readonly external_id: string | null;
}

/**
 * Stores a message whose signature is verified: its `data` becomes a record, once for each message id.
 *
 * @throws Problem `integration.not-syncable` for a source that is switched off, `request.invalid` for a message that
 *   cannot be stored.
 */
export async function receiveMessage(
  db: Database,
  source: WebhookSource,
  message: { readonly id: string; readonly data: JsonObject },
): Promise<ReceivedMessage> {
  if (!source.is_enabled) {
    throw new Problem({ code: 'integration.not-syncable', detail: 'The integration is disabled.' });
  }
  return unitOfWork(db, source.actor, (tx) => storeMessage(tx, source, message));
}

/** How long message ids are kept. Signatures are refused after five minutes, so a day is ample. */
const messageExpiry = sql<string>`now() - interval '1 day'`;

async function storeMessage(
  tx: Tx,
  source: WebhookSource,
  message: { readonly id: string; readonly data: JsonObject },
): Promise<ReceivedMessage> {
  const { data } = message;
  const external_id = asIdentifier(atPointer(data, source.config.id_pointer)) ?? message.id;
  const [fault] = partitionRecords([{ external_id, data }], '/external_id').failures;
  if (fault !== undefined) {
    throw new Problem({
      code: 'request.invalid',
      detail: 'The message contains no record that can be stored.',
      errors: [{ pointer: '/data', detail: `cannot be stored: ${fault.reason}` }],
    });
  }
  await tx.sql
    .deleteFrom('integration_messages')
    .where('integration_id', '=', source.id)
    .where('created_at', '<', messageExpiry)
    .execute();
  const accepted = await tx.sql
    .insertInto('integration_messages')
    .values({ tenant_id: tx.actor.tenant_id, integration_id: source.id, message_id: message.id })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (accepted === undefined) return { outcome: 'repeated', external_id };
  const { created, updated } = await upsertRecords(tx, source.id, null, [{ external_id, payload: data }]);
  const outcome = created === 1 ? 'created' : updated === 1 ? 'updated' : 'unchanged';
  tx.audit({
    event: 'integration.receive',
    action: 'update',
    resource_type: 'integration',
    resource_id: source.id,
    new_values: { message_id: message.id, outcome },
  });
  return { outcome, external_id };
}
