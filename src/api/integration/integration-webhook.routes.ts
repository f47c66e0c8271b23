import { z } from 'zod';
import { Problem } from '../../platform/problem.ts';
import { verifiedMessageId } from '../../platform/outbound/webhook-receipt.ts';
import { idParams } from '../../platform/value-schemas.ts';
import { findWebhookSource, receiveMessage, webhookSecret } from '../../services/integration/integration-webhook.service.ts';
import { route } from '../http/route.ts';

const receiveIntegrationMessage = route({
  operationId: 'receiveIntegrationMessage',
  method: 'post',
  path: '/integrations/:id/webhook',
  tag: 'integration',
  summary: 'Receive a signed message of a webhook source (Standard Webhooks)',
  description: 'A message id is accepted once; a repetition gets the same response and changes nothing.',
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
  handler: async ({ params, body, raw, actor: anonymous, deps }) => {
    const source = await findWebhookSource(deps.db, anonymous, params.id);
    const messageId = verifiedMessageId(webhookSecret(deps.keyring, source), raw);
    if (messageId === null) {
      // Only messages with a wrong signature are counted, so that a busy source is never limited.
      await deps.rateLimits.publicToken.take(anonymous.ip ?? 'unknown');
      throw new Problem({
        code: 'integration.signature-refused',
        detail: 'The signature or its timestamp is not valid (Standard Webhooks: at most five minutes old).',
      });
    }
    return receiveMessage(deps.db, source, { id: messageId, data: body.data });
  },
});

/** Routes for webhook sources: without an account, authenticated by the signature. */
export const integrationWebhookRoutes = [receiveIntegrationMessage];
