import { sql } from 'kysely';
import { z } from 'zod';
import { receiveMessage } from '../../services/integration/integration-webhook.service.ts';
import { integrationSecretPlace } from '../../services/integration/integration.repository.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { verifiedMessageId } from '../../platform/outbound/webhook-receipt.ts';
import type { ApiDeps } from '../deps.ts';
import { route } from '../http/route.ts';
import { idParams } from '../../platform/value-schemas.ts';

const receiveIntegrationMessage = route({
  operationId: 'receiveIntegrationMessage',
  method: 'post',
  path: '/integrations/:id/webhook',
  tag: 'integration',
  summary: 'Take a signed message of a webhook source (Standard Webhooks)',
  description: 'A message id is taken once; a repetition is answered like the first and changes nothing.',
  permission: 'public',
  gate: 'none',
  params: idParams,
  body: z.looseObject({ data: z.record(z.string(), z.json()) }).meta({ id: 'IntegrationMessage' }),
  responses: {
    200: z
      .object({
        outcome: z.enum(['created', 'updated', 'unchanged', 'repeated']),
        external_id: z.string().nullable(),
      })
      .meta({ id: 'ReceivedMessage' }),
  },
  problems: ['resource.not-found', 'integration.signature-refused', 'integration.not-syncable', 'request.rate-limited'],
  // `webhook-id` is its idempotency key.
  idempotency: false,
  handler: async ({ params, body, raw, actor: nobody, deps }) => {
    const source = await findSource(deps, nobody, params.id);
    const secret = deps.keyring.open(source.secret_ciphertext, integrationSecretPlace(source.id));
    const messageId = verifiedMessageId(secret, raw);
    if (messageId === null) {
      // Only those who guess are counted, so that a busy source is never held up.
      await deps.rateLimits.publicToken.take(nobody.ip ?? 'unknown');
      throw new Problem({
        code: 'integration.signature-refused',
        detail: 'The signature or its time is not right (Standard Webhooks: at most five minutes old).',
      });
    }
    if (!source.is_enabled) {
      throw new Problem({ code: 'integration.not-syncable', detail: 'The integration is switched off.' });
    }
    return unitOfWork(deps.db, source.actor, (tx) => receiveMessage(tx, source, { id: messageId, data: body.data }));
  },
});

/** Finds a source by its address, and acts for it inside its tenant from then on; no person, no permission. */
async function findSource(deps: ApiDeps, nobody: Actor, id: string) {
  const statement = sql<{ tenant_id: string }>`select tenant_id from find_webhook_source(${id}::uuid)`;
  const [owner] = await read(deps.db, nobody, { compile: () => statement.compile(query) });
  if (owner === undefined) throw notFound('webhook source');
  const { ip, user_agent, request_id, trace_id } = nobody;
  const actor: Actor = { ...systemActor(owner.tenant_id), kind: 'service', ip, user_agent, request_id, trace_id };
  const [row] = await read(
    deps.db,
    actor,
    query
      .selectFrom('admin_integrations')
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .select(['id', 'config', 'is_enabled', 'secret_ciphertext']),
  );
  if (row === undefined || row.config.kind !== 'webhook_source') throw notFound('webhook source');
  return { ...row, config: row.config, actor };
}

/** What webhook sources may do; without an account, by their signature. */
export const integrationWebhookRoutes = [receiveIntegrationMessage];
