import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import {
  extendedUntil,
  isOpenOnboarding,
  maxProgressBytes,
  mergeProgress,
  reopenedOnboardingStatus,
} from '../../domain/onboarding/onboarding.ts';
import type { OnboardingCapability, OnboardingTiming } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingAccount } from '../../domain/onboarding/onboarding-account.ts';
import { rightsOfRoles } from '../../domain/identity/role-hierarchy.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { grantedSeconds, onboardingLifeOf } from './onboarding-settings.service.ts';
import { openOnboarding } from './onboarding-access.ts';
import { changedNow, linkGone, endReason, lockOnboardingLink, onboardingColumns, assertNotFinal } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import { assertWithinOwnRights } from '../identity/effective-rights.service.ts';
import { loadRoles } from '../identity/role.repository.ts';

/** What of a token is kept (S3-49). */
export function onboardingTokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** What a link is made of. */
export interface NewOnboardingLink {
  readonly recipient_name: string;
  readonly recipient_email: string | null;
  readonly purpose: string;
  readonly capabilities: readonly OnboardingCapability[];
  readonly account: OnboardingAccount | null;
  readonly timing: OnboardingTiming;
  /** Null: what the tenant gives. */
  readonly life_seconds: number | null;
}

/**
 * Makes a link. The token leaves once, with the answer; only its hash is stored.
 *
 * @param createdBy who is told what becomes of it
 * @throws Problem when the link would give a right that its creator lacks, or make an account that is there already.
 */
export async function createOnboardingLink(
  tx: Tx,
  createdBy: string,
  { life_seconds, ...link }: NewOnboardingLink,
  now: number,
): Promise<{ row: OnboardingRow; token: string }> {
  await openOnboarding(tx);
  const life = await onboardingLifeOf(tx);
  const granted = grantedSeconds(life, life_seconds, '/life_seconds');
  if (link.account !== null) await requireGrantable(tx, link.account, link.recipient_email);
  const { token } = await tx.sql
    .selectNoFrom(sql<string>`generate_onboarding_token()`.as('token'))
    .executeTakeFirstOrThrow();
  const row = await tx.sql
    .insertInto('onboarding_link')
    .values({
      ...link,
      tenant_id: tx.actor.tenant_id,
      token_hash: onboardingTokenHash(token),
      token_last4: token.slice(-4),
      created_by: createdBy,
      capabilities: [...link.capabilities],
      account: link.account === null ? null : jsonb(link.account),
      timing: jsonb(link.timing),
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + granted * 1000).toISOString(),
      max_expires_at: new Date(now + life.max_life_seconds * 1000).toISOString(),
    })
    .returning(onboardingColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'onboarding_link.create',
    action: 'create',
    resource_type: 'onboarding_link',
    resource_id: row.id,
    new_values: { ...link, expires_at: row.expires_at },
  });
  return { row, token };
}

/** Nobody gives by a link what they could not give by hand; an address with an account needs no link to get one. */
async function requireGrantable(tx: Tx, account: OnboardingAccount, email: string | null): Promise<void> {
  const roles = await loadRoles(tx);
  const wanted = account.roles.map(({ role_id }) => role_id);
  if (wanted.some((id) => !roles.has(id))) throw notFound('role');
  await assertWithinOwnRights(tx, rightsOfRoles(roles, wanted).permissions);
  if (account.campaign_ids.length > 0) {
    await assertWithinOwnRights(tx, ['assignment:manage']);
    const campaigns = await tx.sql
      .selectFrom('campaigns')
      .where('id', 'in', [...account.campaign_ids])
      .where('deleted_at', 'is', null)
      .select('id')
      .execute();
    if (campaigns.length < new Set(account.campaign_ids).size) throw notFound('campaign');
  }
  const owner = await tx.sql.selectFrom('users').where('email', '=', email).where('status', '<>', 'deleted').select('id').executeTakeFirst();
  if (owner === undefined) return;
  const errors = [{ pointer: '/recipient_email', detail: 'has an account already' }];
  throw new Problem({ code: 'resource.conflict', detail: 'The recipient has an account already.', errors });
}

/**
 * Gives a link more time, from now or from its end; an expired one goes on where its holder had come (S3-19, S3-52).
 *
 * @param askedSeconds null: what the tenant gives.
 * @throws Problem `onboarding.closed` for a final link, `request.invalid` for too long a step, `onboarding.life-spent` at the end of its longest life.
 */
export async function extendOnboardingLink(
  tx: Tx,
  id: string,
  askedSeconds: number | null,
  now: number,
): Promise<OnboardingRow> {
  const before = await lockOnboardingLink(tx, id);
  assertNotFinal(before);
  const step = grantedSeconds(await onboardingLifeOf(tx), askedSeconds, '/extend_seconds');
  const until = extendedUntil(before, step, now);
  if (until === null) {
    throw new Problem({
      code: 'onboarding.life-spent',
      detail: 'The link has had its longest life. Make a new one.',
      members: { max_expires_at: before.max_expires_at },
    });
  }
  const after = await tx.sql
    .updateTable('onboarding_link')
    .set((eb) => ({
      status: reopenedOnboardingStatus(before),
      expires_at: new Date(until).toISOString(),
      warned_at: null,
      extended_count: eb('extended_count', '+', 1),
      updated_at: changedNow,
    }))
    .where('id', '=', id)
    .returning(onboardingColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'onboarding_link.extend',
    action: 'update',
    resource_type: 'onboarding_link',
    resource_id: id,
    old_values: { status: before.status, expires_at: before.expires_at },
    new_values: { status: after.status, expires_at: after.expires_at },
  });
  return after;
}

/** A saved state of the progress, built on the version that its sender saw last. */
export interface SavedProgress {
  readonly version: number;
  readonly answers: JsonObject;
  readonly progress_percent?: number | undefined;
  readonly current_step?: string | null | undefined;
}

/**
 * Saves progress (S3-21).
 *
 * @throws Problem 410 for a dead link, 403 where the link does not declare it, 409 with the current state when others
 *   were saved in between.
 */
export async function saveOnboardingProgress(tx: Tx, id: string, saved: SavedProgress, now: number): Promise<OnboardingRow> {
  const before = await lockOnboardingLink(tx, id);
  const death = endReason(before, now);
  if (death !== null) throw linkGone(death);
  assertLinkCapability(before, 'save_progress');
  assertProgressVersion(before, saved.version);
  const after = await tx.sql
    .updateTable('onboarding_link')
    .set((eb) => ({
      ...progressColumns(before, saved),
      status: isOpenOnboarding(before.status) ? 'in_progress' : before.status,
      version: eb('version', '+', 1),
      updated_at: changedNow,
    }))
    .where('id', '=', id)
    .returning(onboardingColumns)
    .executeTakeFirstOrThrow();
  const stateOf = ({ status, progress_percent, current_step, version }: OnboardingRow) =>
    ({ status, progress_percent, current_step, version });
  tx.audit({
    event: 'onboarding_link.progress',
    action: 'update',
    resource_type: 'onboarding_link',
    resource_id: id,
    old_values: stateOf(before),
    // Answers are the newcomer's own words; the audit keeps which of them came.
    new_values: { ...stateOf(after), answered: Object.keys(saved.answers) },
  });
  return after;
}

/** The columns of the progress with new answers in them. @throws Problem 422 when they are too many. */
export function progressColumns(before: OnboardingRow, saved: Omit<SavedProgress, 'version'>) {
  const { progress, progress_percent, current_step } = mergeProgress(before, saved);
  if (Buffer.byteLength(JSON.stringify(progress)) > maxProgressBytes) {
    const errors = [{ pointer: '/answers', detail: `all answers together have at most ${maxProgressBytes} bytes` }];
    throw new Problem({ code: 'request.invalid', detail: 'These are too many answers.', errors });
  }
  return { progress: jsonb(progress), progress_percent, current_step };
}

/** @throws Problem `onboarding.not-allowed` when the link does not declare what its holder wants to do. */
export function assertLinkCapability(row: OnboardingRow, capability: OnboardingCapability): void {
  if (row.capabilities.includes(capability)) return;
  throw new Problem({ code: 'onboarding.not-allowed', detail: `This link does not allow ${capability}.`, members: { capability } });
}

/** @throws Problem `onboarding.progress-stale` with the current state, to go on from. */
export function assertProgressVersion(row: OnboardingRow, version: number): void {
  if (row.version === version) return;
  const { progress, progress_percent, current_step, version: current } = row;
  throw new Problem({
    code: 'onboarding.progress-stale',
    detail: 'The progress was saved elsewhere in between. Go on from the current state.',
    members: { current: { answers: progress, progress_percent, current_step, version: current } },
  });
}
