import { sql } from 'kysely';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { WebhookSourceConfig } from '../../domain/integration/integration.ts';
import { asIdentifier, atPointer, sortRecords } from '../../domain/integration/integration-records.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { upsertRecords } from './integration-sync.service.ts';

/** What became of a message: taken, or known already. */
export interface ReceivedMessage {
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'repeated';
  readonly external_id: string | null;
}

/** How long ids of messages are kept; signatures are refused after five minutes, so a day is plenty. */
const messageLife = sql<string>`now() - interval '1 day'`;

/**
 * Takes one verified message of a webhook source: its `data` becomes a record, once for each message id.
 *
 * @throws Problem `request.invalid` for a message that cannot be stored.
 */
export async function receiveMessage(
  tx: Tx,
  source: { readonly id: string; readonly config: WebhookSourceConfig },
  message: { readonly id: string; readonly data: JsonObject },
): Promise<ReceivedMessage> {
  const { data } = message;
  const external_id = asIdentifier(atPointer(data, source.config.id_pointer)) ?? message.id;
  const [fault] = sortRecords([{ external_id, data }], '/external_id').failures;
  if (fault !== undefined) {
    throw new Problem({
      code: 'request.invalid',
      detail: 'The message carries no record that can be taken.',
      errors: [{ pointer: '/data', detail: `cannot be stored: ${fault.reason}` }],
    });
  }
  await tx.sql
    .deleteFrom('integration_messages')
    .where('integration_id', '=', source.id)
    .where('created_at', '<', messageLife)
    .execute();
  const taken = await tx.sql
    .insertInto('integration_messages')
    .values({ tenant_id: tx.actor.tenant_id, integration_id: source.id, message_id: message.id })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (taken === undefined) return { outcome: 'repeated', external_id };
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
