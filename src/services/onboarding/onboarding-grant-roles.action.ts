import { z } from 'zod';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { OnboardingOutcome } from '../../domain/onboarding/onboarding-account.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { actAuthority, defineAction } from '../actions/action.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { clockTimestamp, lockOnboardingLink } from './onboarding-link.repository.ts';
import { linkOfChange } from './onboarding-link.queries.ts';
import { roleTexts } from '../identity/role/role-texts.queries.ts';
import { assignRole } from '../identity/role/role-assignment.service.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** The link whose waiting roles are assigned. */
const grantOnboardingRolesPayload = z.strictObject({ link_id: uuid });

/** Assigns the roles that wait since the completion of a link, such as those of administrators. Always by approval. */
export const onboardingGrantRoles = defineAction({
  name: 'onboarding.grant-roles',
  title: 'Assign the roles of an onboarding link that wait for approval',
  permission: 'role:assign',
  payload: grantOnboardingRolesPayload,
  floor: () => 'approval',
  environment: () => null,
  reason: () => null,
  describe: ({ link_id }) => `Assign the waiting roles of the onboarding link ${link_id} to the user who completed it.`,
  present: async (db, scope, { link_id }) => {
    const link = await linkOfChange(db, scope, link_id);
    const waiting = link?.outcome?.roles_waiting ?? [];
    const roles = await roleTexts(db, scope, waiting.map(({ role_id }) => role_id));
    return {
      description: `Assign the waiting roles of the onboarding link of ${link?.recipient_name ?? link_id} to the user who completed it.`,
      changes: [{ field: 'roles', before: null, after: roles }],
    };
  },
  // The request names the link, and the link the roles.
  writers: async (tx, { link_id }) => {
    const link = await linkOfChange(tx, tx.actor, link_id);
    return link === undefined ? [] : [link.created_by];
  },
  check: async (tx, { link_id }) => {
    await lockWaitingRoles(tx, link_id);
  },
  execute: async (tx, { link_id }, authority): Promise<JsonObject> => {
    const { outcome, user_id } = await lockWaitingRoles(tx, link_id);
    const approval_id = authority.kind === 'approval' ? authority.approval_id : null;
    for (const { role_id, valid_until } of outcome.roles_waiting) {
      const grant = { role_id, valid_until, review_due_at: null, reason: `Onboarding link ${link_id}` };
      await assignRole(tx, user_id, grant, actAuthority(authority));
    }
    const granted = outcome.roles_waiting.map(({ role_id }) => role_id);
    const settled: OnboardingOutcome = { ...outcome, roles_given: [...outcome.roles_given, ...granted], roles_waiting: [] };
    await tx.sql
      .updateTable('onboarding_link')
      .set({ outcome: jsonb(settled), updated_at: clockTimestamp })
      .where('id', '=', link_id)
      .execute();
    tx.audit({
      event: 'onboarding_link.grant-roles',
      action: 'permission_change',
      resource_type: 'onboarding_link',
      resource_id: link_id,
      old_values: { roles_waiting: outcome.roles_waiting },
      new_values: { roles_given: granted, approval_id },
    });
    return { link_id, user_id };
  },
  undo: () => null,
});

/** Locks a link and reads its outcome. @throws Problem `resource.conflict` when no role of the link waits. */
async function lockWaitingRoles(tx: Tx, linkId: string): Promise<{ outcome: OnboardingOutcome; user_id: string }> {
  const { outcome } = await lockOnboardingLink(tx, linkId);
  if (outcome !== null && outcome.user_id !== null && outcome.roles_waiting.length > 0) {
    return { outcome, user_id: outcome.user_id };
  }
  throw new Problem({ code: 'resource.conflict', detail: 'No role of this link waits for approval.' });
}
