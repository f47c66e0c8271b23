import { actorOfRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { emptyOutcome, sortOnboardingRoles } from '../../domain/onboarding/onboarding-account.ts';
import type { OnboardingAccount, OnboardingOutcome } from '../../domain/onboarding/onboarding-account.ts';
import { roleMap } from '../../domain/identity/role-hierarchy.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { joinCampaigns, openAssignments } from '../assignment/index.ts';
import type { MemberSettings } from '../assignment/index.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { clockTimestamp, endReason, linkGone, lockOnboardingLink, onboardingColumns } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import { assertLinkCapability, assertProgressVersion, progressColumns } from './onboarding-progress.service.ts';
import { lockRights, ownRights } from '../identity/role/effective-rights.service.ts';
import { eligibleRoles, rolesGiveSay } from '../identity/role/decider.queries.ts';
import { assignRole } from '../identity/role/role-assignment.service.ts';
import { rolesQuery } from '../identity/role/role.queries.ts';
import { createUser } from '../identity/user-account.service.ts';

/** What the holder of a link sends at the end. */
interface OnboardingCompletion {
  /** Null: whatever was saved last; otherwise nothing may have been saved since this version. */
  readonly version: number | null;
  readonly answers: JsonObject;
  /** The name of the account; null: the name on the link. */
  readonly full_name: string | null;
  /** Hash of the chosen password; null: the user signs in by an identity provider. */
  readonly password_hash: string | null;
}

/** A completed link; `is_replay`: it was completed before, so this call has changed nothing. */
export interface CompletedOnboarding {
  readonly row: OnboardingRow;
  readonly is_replay: boolean;
}

/**
 * Completes a link (S3-22): final and idempotent. A repetition, in parallel or later, gets the outcome of the first call
 * and changes nothing (S3-54).
 *
 * @param now milliseconds since the epoch
 * @throws Problem 410 for an expired or revoked link, 403 where the link does not allow it, 409 for an older version.
 */
export async function completeOnboardingLink(
  tx: Tx,
  id: string,
  completion: OnboardingCompletion,
  now: number,
): Promise<CompletedOnboarding> {
  const before = await lockOnboardingLink(tx, id);
  const reason = endReason(before, now);
  if (reason === 'completed') return { row: before, is_replay: true };
  if (reason !== null) throw linkGone(reason);
  assertLinkCapability(before, 'complete');
  if (completion.version !== null) assertProgressVersion(before, completion.version);
  const outcome = before.account === null ? emptyOutcome : await createAccount(tx, before, before.account, completion);
  const { progress, current_step } = progressColumns(before, { answers: completion.answers });
  const row = await tx.sql
    .updateTable('onboarding_link')
    .set({
      status: 'completed',
      completed_at: clockTimestamp,
      progress,
      progress_percent: 100,
      current_step,
      outcome: jsonb(outcome),
      updated_at: clockTimestamp,
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
 * Creates the account of a link in the name of the link's creator, with the rights that the creator has now. An account
 * that the address has got in the meantime stays unchanged: a link never gives access to an existing account.
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
  const creator = asCreator(tx, link.created_by);
  const user_id = await createUser(creator, { full_name: full_name ?? link.recipient_name, email, password_hash });
  const { rows } = await tx.sql.executeQuery(rolesQuery().compile());
  const coarseRoles = new Map(rows.map(({ id, coarse_role }) => [id, coarse_role]));
  const { permissions } = await ownRights(creator);
  const roles = roleMap(rows);
  const eligible = await eligibleRoles(tx, tx.actor);
  const givesSay = (roleId: string) => rolesGiveSay(roles, [roleId], eligible);
  const { assigned, waiting } = sortOnboardingRoles(account.roles, roles, (id) => coarseRoles.get(id), permissions, givesSay);
  for (const { role_id, valid_until } of assigned) {
    await assignRole(creator, user_id, { role_id, valid_until, review_due_at: null, reason: `Onboarding link ${link.id}` });
  }
  return {
    account: 'created',
    user_id,
    roles_given: assigned.map(({ role_id }) => role_id),
    roles_waiting: waiting,
    campaigns_joined: await joinCampaignsFor(creator, user_id, account.campaign_ids, permissions),
  };
}

/** Adds the new user to the pools of campaigns, unless the creator may not assign any more. @returns the joined ones. */
async function joinCampaignsFor(
  creator: Tx,
  userId: string,
  campaignIds: readonly string[],
  permissions: readonly string[],
): Promise<string[]> {
  if (campaignIds.length === 0 || !permissions.includes('assignment:manage')) return [];
  await openAssignments(creator);
  const outcomes = await joinCampaigns(creator, userId, campaignIds, newMemberSettings);
  return outcomes.filter(({ outcome }) => outcome === 'assigned').map(({ campaign_id }) => campaign_id);
}

/** A new member sees the campaign and gets contacts by the rule; further permissions are assigned by hand. */
const newMemberSettings: MemberSettings = {
  can_view: true,
  can_edit: false,
  can_send: false,
  can_manage: false,
  weight: 100,
  max_open_contacts: null,
  auto_assign: true,
  paused_until: null,
};

/** The same transaction, acting as the link's creator, whose rights are checked and who is recorded as the assigner. */
function asCreator(tx: Tx, userId: string): Tx {
  const { tenant_id, request_id } = tx.actor;
  return { ...tx, actor: actorOfRef({ tenant_id, user_id: userId, session_id: null, request_id }, '') };
}
