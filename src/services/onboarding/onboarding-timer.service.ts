import { sql } from 'kysely';
import type { OnboardingLinkState, OnboardingNotification } from '../../domain/onboarding/onboarding.ts';
import { notificationKey, openOnboardingStatuses } from '../../domain/onboarding/onboarding.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { openOnboarding } from './onboarding-access.service.ts';
import { clockTimestamp, onboardingColumns, linkStateOf } from './onboarding-link.repository.ts';

const tenantIsSuspended = sql<boolean>`exists (
  select from tenants where tenants.id = onboarding_link.tenant_id and tenants.status = 'suspended')`;

/**
 * Reads a link for its workflow and records when, so that the sweep finds links that have changed since.
 *
 * @returns what the rules look at; null when there is no such link.
 */
export async function loadForWorkflow(tx: Tx, id: string): Promise<OnboardingLinkState | null> {
  await openOnboarding(tx);
  const row = await tx.sql
    .updateTable('onboarding_link')
    .set({ attended_at: clockTimestamp })
    .where('id', '=', id)
    .returning([...onboardingColumns, tenantIsSuspended.as('is_silent')])
    .executeTakeFirst();
  if (row === undefined) return null;
  const { status, created_at, expires_at, first_accessed_at, extended_count, has_email, timing, ...rest } =
    linkStateOf(row);
  const { reminder_count, last_reminder_at, warned_at, announced } = rest;
  // Copied field by field, so that nothing personal gets into the history of the workflow.
  return {
    status,
    created_at,
    expires_at,
    first_accessed_at,
    extended_count,
    has_email,
    timing,
    reminder_count,
    last_reminder_at,
    warned_at,
    announced,
    is_silent: row.is_silent,
  };
}

/**
 * Expires links whose time is over, by `expire_old_onboarding_links()`, the only place where links expire (S3-25).
 *
 * @param link the link, and the time by its workflow's clock in milliseconds since the epoch; null: all links of the
 *   tenant, by the clock of the database.
 * @returns ids of the links that this call has expired.
 */
export async function expireOnboarding(tx: Tx, link: { id: string; at: number } | null): Promise<string[]> {
  const { rows } = await sql<{ link_id: string; former_status: string; ended_at: string }>`
    select * from expire_old_onboarding_links(${link === null ? sql`now()` : sql`${new Date(link.at)}`}, ${link?.id ?? null})
  `.execute(tx.sql);
  for (const { link_id, former_status, ended_at } of rows) {
    tx.audit({
      event: 'onboarding_link.expire',
      action: 'update',
      resource_type: 'onboarding_link',
      resource_id: link_id,
      old_values: { status: former_status },
      new_values: { status: 'expired', expires_at: ended_at },
    });
  }
  return rows.map(({ link_id }) => link_id);
}

/**
 * Claims the warning that a link is about to expire; never for a suspended tenant.
 *
 * @param at milliseconds since the epoch
 * @returns whether this call claimed it.
 */
export async function claimWarning(tx: Tx, id: string, at: number): Promise<boolean> {
  await openOnboarding(tx);
  const claimed = await tx.sql
    .updateTable('onboarding_link')
    .set({ warned_at: new Date(at).toISOString() })
    .where('id', '=', id)
    .where('status', 'in', [...openOnboardingStatuses])
    .where('warned_at', 'is', null)
    .where((eb) => eb.not(tenantIsSuspended))
    .returning(['id', 'expires_at'])
    .executeTakeFirst();
  if (claimed === undefined) return false;
  auditTimer(tx, 'warn', id, { expires_at: claimed.expires_at });
  return true;
}

/**
 * Claims a reminder before it is sent; never for a suspended tenant.
 *
 * @param count how many reminders were sent before it
 * @param at milliseconds since the epoch
 * @returns whether this call claimed it.
 */
export async function claimReminder(tx: Tx, id: string, count: number, at: number): Promise<boolean> {
  await openOnboarding(tx);
  const claimed = await tx.sql
    .updateTable('onboarding_link')
    .set({ reminder_count: count + 1, last_reminder_at: new Date(at).toISOString() })
    .where('id', '=', id)
    .where('status', 'in', [...openOnboardingStatuses])
    .where('reminder_count', '=', count)
    .where((eb) => eb.not(tenantIsSuspended))
    .returning('id')
    .executeTakeFirst();
  if (claimed === undefined) return false;
  auditTimer(tx, 'remind', id, { reminder_count: count + 1 });
  return true;
}

/** What a reminder says, and to whom it goes. */
export type RemindedLink = NonNullable<Awaited<ReturnType<typeof remindedLink>>>;

/** Reads whom to remind; null when nobody has an address, the link is closed by now, or its tenant is suspended. */
export async function remindedLink(tx: Tx, id: string) {
  await openOnboarding(tx);
  const link = await tx.sql
    .selectFrom('onboarding_link')
    .where('id', '=', id)
    .where('status', 'in', [...openOnboardingStatuses])
    .where((eb) => eb.not(tenantIsSuspended))
    .select(['recipient_email', 'recipient_name', 'purpose', 'expires_at'])
    .executeTakeFirst();
  if (link === undefined || link.recipient_email === null) return null;
  return { ...link, recipient_email: link.recipient_email };
}

/** Records that the creator was notified. This is the workflow's own state, so it is no change of the link. */
export async function markAnnounced(
  tx: Tx,
  id: string,
  notification: OnboardingNotification,
  extendedCount: number,
): Promise<void> {
  await openOnboarding(tx);
  const key = notificationKey(notification, extendedCount);
  await tx.sql
    .updateTable('onboarding_link')
    .set({ announced: sql<string[]>`array_append(announced, ${key})` })
    .where('id', '=', id)
    .where(sql<boolean>`${key} <> all(announced)`)
    .execute();
}

function auditTimer(tx: Tx, operation: 'warn' | 'remind', id: string, new_values: object): void {
  tx.audit({
    event: `onboarding_link.${operation}`,
    action: 'update',
    resource_type: 'onboarding_link',
    resource_id: id,
    new_values,
  });
}
