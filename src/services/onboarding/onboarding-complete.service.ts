import { actorInWorkflow } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { emptyOutcome, sortOnboardingRoles } from '../../domain/onboarding/onboarding-account.ts';
import type { OnboardingAccount, OnboardingOutcome } from '../../domain/onboarding/onboarding-account.ts';
import { roleMap } from '../../domain/identity/role-hierarchy.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assignCampaigns, openAssignments } from '../assignment/index.ts';
import type { MemberSettings } from '../assignment/index.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { progressColumns, assertLinkCapability, assertProgressVersion } from './onboarding-link.service.ts';
import { changedNow, linkGone, endReason, lockOnboardingLink, onboardingColumns } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import { lockRights, ownRights } from '../identity/effective-rights.service.ts';
import { assignRole } from '../identity/role-assignment.service.ts';
import { rolesQuery } from '../identity/role.queries.ts';
import { createUser } from '../identity/user-account.service.ts';

/** What the newcomer says at the end. */
export interface OnboardingCompletion {
  /** When given, nothing may have been saved since this version. */
  readonly version: number | null;
  readonly answers: JsonObject;
  /** The name that the account gets; null: the one on the link. */
  readonly full_name: string | null;
  /** Hash of the chosen password; null: signs in by an identity provider. */
  readonly password_hash: string | null;
}

/** A completed link; `is_replay` when it had been completed before, so that nothing was done now. */
export interface CompletedOnboarding {
  readonly row: OnboardingRow;
  readonly is_replay: boolean;
}

/**
 * Completes a link (S3-22): final and idempotent. Whoever comes second, in parallel or later, gets what the first one
 * got and changes nothing (S3-54).
 *
 * @throws Problem 410 for an expired or revoked link, 403 where the link does not declare it, 409 on a stale version.
 */
export async function completeOnboardingLink(
  tx: Tx,
  id: string,
  completion: OnboardingCompletion,
  now: number,
): Promise<CompletedOnboarding> {
  const before = await lockOnboardingLink(tx, id);
  const death = endReason(before, now);
  if (death === 'completed') return { row: before, is_replay: true };
  if (death !== null) throw linkGone(death);
  assertLinkCapability(before, 'complete');
  if (completion.version !== null) assertProgressVersion(before, completion.version);
  const outcome = before.account === null ? emptyOutcome : await createAccount(tx, before, before.account, completion);
  const { progress, current_step } = progressColumns(before, { answers: completion.answers });
  const row = await tx.sql
    .updateTable('onboarding_link')
    .set({
      status: 'completed',
      completed_at: changedNow,
      progress,
      progress_percent: 100,
      current_step,
      outcome: jsonb(outcome),
      updated_at: changedNow,
    })
    .where('id', '=', id)
    .returning(onboardingColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'onboarding_link.complete',
    action: 'update',
    resource_type: 'onboarding_link',
    resource_id: id,
    old_values: { status: before.status },
    new_values: { status: 'completed', outcome },
  });
  return { row, is_replay: false };
}

/**
 * Creates the account that the link was made for, in the name of its creator and by the rights that the creator has
 * now. An address that has got an account since is left alone: a link never lets anybody into one.
 */
async function createAccount(
  tx: Tx,
  link: OnboardingRow,
  account: OnboardingAccount,
  { full_name, password_hash }: OnboardingCompletion,
): Promise<OnboardingOutcome> {
  await lockRights(tx);
  const email = link.recipient_email;
  const owner = await tx.sql.selectFrom('users').where('email', '=', email).where('status', '<>', 'deleted').select('id').executeTakeFirst();
  if (owner !== undefined) return { ...emptyOutcome, account: 'kept_back' };
  const user_id = await createUser(tx, { full_name: full_name ?? link.recipient_name, email, password_hash });
  const creator = inNameOf(tx, link.created_by);
  const { rows } = await tx.sql.executeQuery(rolesQuery().compile());
  const coarseRoles = new Map(rows.map(({ id, coarse_role }) => [id, coarse_role]));
  const { permissions } = await ownRights(creator);
  const { given, waiting } = sortOnboardingRoles(account.roles, roleMap(rows), (id) => coarseRoles.get(id), permissions);
  for (const { role_id, valid_until } of given) {
    await assignRole(creator, user_id, { role_id, valid_until, review_due_at: null, reason: `Onboarding link ${link.id}` });
  }
  return {
    account: 'created',
    user_id,
    roles_given: given.map(({ role_id }) => role_id),
    roles_waiting: waiting,
    campaigns_joined: await joinCampaigns(creator, user_id, account.campaign_ids, permissions),
  };
}

/** Puts the newcomer into the pools of campaigns, unless the creator may not assign any more. @returns which. */
async function joinCampaigns(
  creator: Tx,
  userId: string,
  campaignIds: readonly string[],
  permissions: readonly string[],
): Promise<string[]> {
  if (campaignIds.length === 0 || !permissions.includes('assignment:manage')) return [];
  await openAssignments(creator);
  const outcomes = await assignCampaigns(creator, userId, campaignIds, newcomerSettings);
  return outcomes.filter(({ outcome }) => outcome === 'assigned').map(({ campaign_id }) => campaign_id);
}

/** A newcomer sees a campaign and gets contacts like everybody; more is given by hand. */
const newcomerSettings: MemberSettings = {
  can_view: true,
  can_edit: false,
  can_send: false,
  can_manage: false,
  weight: 100,
  max_open_contacts: null,
  auto_assign: true,
  paused_until: null,
};

/** The same transaction, acting as the link's creator: whose rights count, and who is noted as the giver. */
function inNameOf(tx: Tx, userId: string): Tx {
  const { tenant_id, request_id } = tx.actor;
  return { ...tx, actor: actorInWorkflow({ tenant_id, user_id: userId, session_id: null, request_id }, '') };
}
