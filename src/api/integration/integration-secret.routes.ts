import { z } from 'zod';
import { idParams } from '../../platform/value-schemas.ts';
import { integrationSecret } from '../../services/integration/integration.payload.ts';
import { findSecret, revealSecret } from '../../services/integration/integration-secret.service.ts';
import { route } from '../http/route.ts';
import { RevealedSecretBody, SecretUsesBody } from './integration.schemas.ts';

const tag = 'integration';

const revealIntegrationSecret = route({
  operationId: 'revealIntegrationSecret',
  method: 'post',
  path: '/admin/integrations/:id/reveal-secret',
  tag,
  summary: 'Reveal the secret of an integration; every access is audited',
  permission: 'integration:reveal',
  gate: 'mfa',
  params: idParams,
  responses: { 200: RevealedSecretBody },
  // The answer contains a secret, so it is not stored for a repetition.
  idempotency: false,
  problems: ['mfa.required', 'resource.not-found'],
  handler: ({ params, deps, change }) => change((tx) => revealSecret(tx, deps.keyring, params.id)),
});

const findIntegrationSecret = route({
  operationId: 'findIntegrationSecret',
  method: 'post',
  path: '/admin/integrations/find-secret',
  tag,
  summary: 'Find where a secret is or was in use, by its fingerprint; the value is not stored',
  permission: 'integration:reveal',
  gate: 'mfa',
  body: z.strictObject({ secret: integrationSecret }),
  responses: { 200: SecretUsesBody },
  // For a repetition a digest of the request would be stored, which would be a digest of the secret.
  idempotency: false,
  problems: ['mfa.required'],
  handler: ({ body, deps, change }) => change(async (tx) => ({
    uses: await findSecret(tx, deps.keyring, body.secret),
  })),
});

/** The secrets of integrations: seen by nobody but with the right to reveal them, and a second factor. */
export const integrationSecretRoutes = [revealIntegrationSecret, findIntegrationSecret];
