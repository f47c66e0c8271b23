import { z } from 'zod';
import { reasonText, uuid } from '../../platform/value-schemas.ts';
import { defineAction } from '../actions/action.ts';
import { sendOnboardingChanged } from './onboarding-link.client.ts';
import { linkOfChange } from './onboarding-link.queries.ts';
import { assertNotFinal, clockTimestamp, lockOnboardingLink } from './onboarding-link.repository.ts';

/** The link to revoke, and why. */
const revokeOnboardingPayload = z.strictObject({
  link_id: uuid,
  reason: reasonText.nullable(),
});

/** Revokes a link for good (S3-18, S3-52). Ungated unless the tenant has a gate policy for it. */
export const onboardingRevoke = defineAction({
  name: 'onboarding.revoke',
  title: 'Revoke an onboarding link',
  permission: 'onboarding:manage',
  payload: revokeOnboardingPayload,
  unwrittenGate: 'none',
  environment: () => null,
  reason: ({ reason }) => reason,
  describe: ({ link_id }) => `Revoke the onboarding link ${link_id}.`,
  present: async (db, scope, { link_id }) => {
    const name = (await linkOfChange(db, scope, link_id))?.recipient_name ?? link_id;
    return {
      description: `Revoke the onboarding link of ${name}.`,
      changes: [{ field: 'onboarding link', before: name, after: null }],
    };
  },
  check: async (tx, { link_id }) => assertNotFinal(await lockOnboardingLink(tx, link_id)),
  execute: async (tx, { link_id, reason }) => {
    const before = await lockOnboardingLink(tx, link_id);
    assertNotFinal(before);
    await tx.sql
      .updateTable('onboarding_link')
      .set({
        status: 'revoked',
        revoked_at: clockTimestamp,
        revoked_by: tx.actor.user_id,
        revoke_reason: reason,
        updated_at: clockTimestamp,
      })
      .where('id', '=', link_id)
      .execute();
    tx.audit({
      event: 'onboarding_link.revoke',
      action: 'update',
      resource_type: 'onboarding_link',
      resource_id: link_id,
      old_values: { status: before.status },
      new_values: { status: 'revoked', reason },
    });
    return { link_id };
  },
  undo: () => null,
  afterCommit: (deps, { actor: { tenant_id }, payload: { link_id } }) => sendOnboardingChanged(deps, { tenant_id, link_id }),
});
