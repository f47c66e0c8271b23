import { z } from 'zod';
import { reasonText, uuid } from '../../platform/value-schemas.ts';
import { defaultGraceSeconds } from '../../domain/integration/key-rotation.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';
import { integrationEnvironment } from './integration.payload.ts';
import { startCommittedRotation } from './key-rotation.client.ts';
import { lockIntegration, assertRotatable, assertNotRotating } from './integration.repository.ts';

/** Which key is exchanged, and how long the old one remains valid beside the new one. */
export const rotateKeyPayload = z.strictObject({
  integration_id: uuid,
  environment: integrationEnvironment,
  grace_seconds: z.int().min(0).max(30 * 24 * 3_600).default(defaultGraceSeconds),
  reason: reasonText.nullable().default(null),
});

type Payload = z.output<typeof rotateKeyPayload>;

/**
 * Requests the exchange of an integration's key (S2-21): records the rotation, which its workflow then carries out. For an
 * integration of production it needs an approval unless the tenant's gate policy says otherwise.
 */
export const integrationRotateKey = defineAction({
  name: 'integration.rotate-key',
  title: 'Rotate the key of an integration',
  permission: 'integration:rotate-key',
  payload: rotateKeyPayload,
  environment: ({ environment }) => environment,
  // Without a proof of the person, rotating keys would be a way to lock a tenant out of its own systems.
  floor: () => 'mfa',
  reason: ({ reason }) => reason,
  describe: ({ integration_id, environment, grace_seconds }) =>
    `Rotate the key of the integration ${integration_id} in ${environment}; the old key works for ` +
    `${grace_seconds} more seconds after the switch.`,
  present: async (db, scope, { integration_id, environment, grace_seconds }) => {
    const name = await subjectName(db, scope, 'integration', integration_id);
    return {
      description: `Rotate the key of the integration '${name}' in ${environment}; the old key works for ${grace_seconds} more seconds.`,
      changes: [{ field: 'key', before: `the present key of '${name}'`, after: 'a new key' }],
    };
  },
  check: async (tx, payload) => {
    await checkRotation(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const { old_key_id, old_fingerprint } = await checkRotation(tx, payload);
    const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
    const { integration_id, grace_seconds, reason } = payload;
    const { id } = await tx.sql
      .insertInto('admin_key_rotations')
      .values({
        tenant_id: tx.actor.tenant_id,
        integration_id,
        requested_by: tx.actor.user_id,
        approval_id,
        reason,
        grace_seconds,
        old_key_id,
        old_fingerprint,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    tx.audit({
      event: 'integration.rotate-key',
      action: 'create',
      resource_type: 'integration',
      resource_id: integration_id,
      new_values: { rotation_id: id, grace_seconds, reason, approval_id, old_key_id },
    });
    return { rotation_id: id };
  },
  undo: () => null,
  afterCommit: startCommittedRotation,
});

/** @throws Problem 404, 409 when it cannot be rotated now, or 422 for another environment than the gate was chosen by. */
async function checkRotation(tx: Tx, { integration_id, environment }: Payload) {
  const integration = await lockIntegration(tx, integration_id);
  if (integration.environment !== environment) {
    const errors = [{ pointer: '/environment', detail: `must be ${integration.environment}` }];
    throw new Problem({ code: 'request.invalid', detail: 'The integration serves another environment.', errors });
  }
  const old_key_id = assertRotatable(integration);
  await assertNotRotating(tx, integration_id);
  return { old_key_id, old_fingerprint: integration.secret_fingerprint };
}
