import { sql } from 'kysely';
import type { OnboardingFacts, OnboardingNotification } from '../../domain/onboarding/onboarding.ts';
import { notificationKey, openOnboardingStatuses } from '../../domain/onboarding/onboarding.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { openOnboarding } from './onboarding-access.ts';
import { changedNow, onboardingColumns, onboardingFactsOf } from './onboarding-link.repository.ts';

const tenantIsSuspended = sql<boolean>`exists (
  select from tenants where tenants.id = onboarding_link.tenant_id and tenants.status = 'suspended')`;

/** Reads a link for its workflow and notes when, so that the sweep knows what the workflow has not seen. */
export async function loadForWorkflow(tx: Tx, id: string): Promise<OnboardingFacts | null> {
  await openOnboarding(tx);
  const row = await tx.sql
    .updateTable('onboarding_link')
    .set({ attended_at: changedNow })
    .where('id', '=', id)
    .returning([...onboardingColumns, tenantIsSuspended.as('is_silent')])
    .executeTakeFirst();
  if (row === undefined) return null;
  const { status, created_at, expires_at, first_accessed_at, extended_count, has_email, timing, ...rest } =
    onboardingFactsOf(row);
  const { reminder_count, last_reminder_at, warned_at, announced } = rest;
  // Only what the rules look at: nothing personal goes into a workflow's history.
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
 * Expires what is past its time through `expire_old_onboarding_links()`, the one place where links expire (S3-25).
 *
 * @param link the link and the time by its workflow's clock; null: all of the tenant, by the clock of the database.
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

/** Claims the warning of a link's present end; never of a suspended tenant. @returns whether this call did. */
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

/** Claims the reminder after `count` others, before it is sent; never of a suspended tenant. @returns whether this call did. */
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

/** Whom a reminder goes to at this moment; null when the link is closed by now, or its tenant suspended. */
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

/** Notes that the creator was told; for the workflow, so it is no change of the link. */
export async function markAnnounced(tx: Tx, id: string, news: OnboardingNotification, extendedCount: number): Promise<void> {
  await openOnboarding(tx);
  const key = notificationKey(news, extendedCount);
  await tx.sql
    .updateTable('onboarding_link')
    .set({ announced: sql<string[]>`array_append(announced, ${key})` })
    .where('id', '=', id)
    .where(sql<boolean>`${key} <> all(announced)`)
    .execute();
}

function auditTimer(tx: Tx, deed: 'warn' | 'remind', id: string, new_values: object): void {
  tx.audit({
    event: `onboarding_link.${deed}`,
    action: 'update',
    resource_type: 'onboarding_link',
    resource_id: id,
    new_values,
  });
}
