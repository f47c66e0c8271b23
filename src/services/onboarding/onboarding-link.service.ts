import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { extendedUntil, reopenedOnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingCapability, OnboardingTiming } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingAccount } from '../../domain/onboarding/onboarding-account.ts';
import { rightsOfRoles } from '../../domain/identity/role-hierarchy.ts';
import { unknownReference } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { tokenHash } from '../../platform/security/digest.ts';
import { grantedSeconds, loadOnboardingSettings } from './onboarding-settings.service.ts';
import { openOnboarding } from './onboarding-access.service.ts';
import { assertNotFinal, clockTimestamp, lockOnboardingLink, onboardingColumns } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import { assertWithinOwnRights } from '../identity/role/effective-rights.service.ts';
import { loadRoles } from '../identity/role/role.repository.ts';

/** What a creator asks for. */
interface NewOnboardingLink {
  readonly recipient_name: string;
  readonly recipient_email: string | null;
  readonly purpose: string;
  /** Without `create_account`, which follows from `account`. */
  readonly capabilities: readonly Exclude<OnboardingCapability, 'create_account'>[];
  readonly account: OnboardingAccount | null;
  readonly timing: OnboardingTiming;
  /** Null: the default of the tenant. */
  readonly life_seconds: number | null;
}

/**
 * Creates a link in the name of the actor, who is notified of its progress. The token is returned once; only its hash is
 * stored.
 *
 * @param now milliseconds since the epoch
 * @throws Problem 403 when the actor may not create such a link or lacks a right that it would assign, 404 for an unknown
 *   role or campaign, 409 when the recipient has an account already, 422 for a longer life than the tenant allows.
 */
export async function createOnboardingLink(
  tx: Tx,
  { life_seconds, ...requested }: NewOnboardingLink,
  now: number,
): Promise<{ row: OnboardingRow; token: string }> {
  const created_by = assertMayCreate(tx.actor, requested.account !== null);
  const capabilities: OnboardingCapability[] = [...new Set(requested.capabilities)];
  if (requested.account !== null) capabilities.push('create_account');
  const link = { ...requested, capabilities };
  await openOnboarding(tx);
  const settings = await loadOnboardingSettings(tx);
  const granted = grantedSeconds(settings, life_seconds, '/life_seconds');
  if (link.account !== null) await assertGrantable(tx, link.account, link.recipient_email);
  const { token } = await tx.sql
    .selectNoFrom(sql<string>`generate_onboarding_token()`.as('token'))
    .executeTakeFirstOrThrow();
  const row = await tx.sql
    .insertInto('onboarding_link')
    .values({
      ...link,
      tenant_id: tx.actor.tenant_id,
      token_hash: tokenHash(token),
      token_last4: token.slice(-4),
      created_by,
      account: link.account === null ? null : jsonb(link.account),
      timing: jsonb(link.timing),
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + granted * 1000).toISOString(),
      max_expires_at: new Date(now + settings.max_life_seconds * 1000).toISOString(),
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

/**
 * The user in whose name a link is created.
 *
 * @throws Problem `auth.forbidden` for a service token, and for an actor who could not create the account directly.
 */
function assertMayCreate({ user_id, permissions }: Actor, createsAccount: boolean): string {
  if (user_id === null) {
    throw new Problem({
      code: 'auth.forbidden',
      detail: 'Only a user can create a link, because its creator is notified.',
    });
  }
  const missing = (['user:create', 'role:assign'] as const).find((permission) => !permissions.includes(permission));
  if (createsAccount && missing !== undefined) {
    throw new Problem({
      code: 'auth.forbidden',
      detail: `A link that creates an account needs the permission ${missing}.`,
    });
  }
  return user_id;
}

/**
 * A link assigns nothing that its creator could not assign directly, and creates no second account for an address.
 *
 * @throws Problem 403, `request.invalid` for an unknown role or campaign, 409 when the recipient has an account already.
 */
async function assertGrantable(tx: Tx, account: OnboardingAccount, email: string | null): Promise<void> {
  const roles = await loadRoles(tx);
  const wanted = account.roles.map(({ role_id }) => role_id);
  const unknownRole = wanted.findIndex((id) => !roles.has(id));
  if (unknownRole !== -1) throw unknownReference(`/account/roles/${unknownRole}/role_id`, 'role');
  await assertWithinOwnRights(tx, rightsOfRoles(roles, wanted).permissions);
  if (account.campaign_ids.length > 0) {
    await assertWithinOwnRights(tx, ['assignment:manage']);
    const campaigns = await tx.sql
      .selectFrom('campaigns')
      .where('id', 'in', [...account.campaign_ids])
      .where('deleted_at', 'is', null)
      .select('id')
      .execute();
    const known = new Set(campaigns.map(({ id }) => id));
    const unknown = account.campaign_ids.findIndex((id) => !known.has(id));
    if (unknown !== -1) throw unknownReference(`/account/campaign_ids/${unknown}`, 'campaign');
  }
  const owner = await tx.sql.selectFrom('users').where('email', '=', email).where('status', '<>', 'deleted').select('id').executeTakeFirst();
  if (owner === undefined) return;
  const errors = [{ pointer: '/recipient_email', detail: 'has an account already' }];
  throw new Problem({ code: 'resource.conflict', detail: 'The recipient has an account already.', errors });
}

/**
 * Extends a link, from now or from its end, whichever is later. An expired link returns to the status that its holder had
 * reached (S3-19, S3-52).
 *
 * @param askedSeconds null: the default of the tenant
 * @param now milliseconds since the epoch
 * @throws Problem 404; `onboarding.closed` for a final link, `request.invalid` for more than the tenant allows at a time,
 *   `onboarding.life-spent` at the end of its longest life.
 */
export async function extendOnboardingLink(
  tx: Tx,
  id: string,
  askedSeconds: number | null,
  now: number,
): Promise<OnboardingRow> {
  const before = await lockOnboardingLink(tx, id);
  assertNotFinal(before);
  const step = grantedSeconds(await loadOnboardingSettings(tx), askedSeconds, '/extend_seconds');
  const until = extendedUntil(before, step, now);
  if (until === null) {
    throw new Problem({
      code: 'onboarding.life-spent',
      detail: 'The link has reached its maximum lifetime. Create a new one.',
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
      updated_at: clockTimestamp,
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
