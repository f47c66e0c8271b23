import { sql } from 'kysely';
import { canMoveOnboarding, shownOnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingFacts } from '../../domain/onboarding/onboarding.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { openOnboarding } from './onboarding-access.service.ts';

/** What an administrator may see of a link: everything but the hash of its token. */
export const onboardingColumns = [
  'id',
  'token_last4',
  'recipient_name',
  'recipient_email',
  'purpose',
  'created_by',
  'status',
  'capabilities',
  'account',
  'timing',
  'expires_at',
  'max_expires_at',
  'progress',
  'progress_percent',
  'current_step',
  'access_count',
  'first_accessed_at',
  'last_accessed_at',
  'last_ip',
  'last_user_agent',
  'extended_count',
  'revoked_at',
  'revoked_by',
  'revoke_reason',
  'completed_at',
  'outcome',
  'reminder_count',
  'last_reminder_at',
  'warned_at',
  'announced',
  'created_at',
  'updated_at',
  'version',
] as const;

/** A link as {@link lockOnboardingLink} reads it. */
export type OnboardingRow = Awaited<ReturnType<typeof lockOnboardingLink>>;

/**
 * Opens the links of the tenant to the transaction and locks one of them until it ends.
 *
 * @throws Problem 404 when there is no such link in the tenant.
 */
export async function lockOnboardingLink(tx: Tx, id: string) {
  await openOnboarding(tx);
  const link = await tx.sql
    .selectFrom('onboarding_link')
    .where('id', '=', id)
    .select(onboardingColumns)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (link === undefined) throw notFound('onboarding link');
  return link;
}

/** When a change of a link was made; the moment of the write, because the transaction may have waited for the row. */
export const changedNow = sql<string>`clock_timestamp()`;

/** What the rules of the link's life look at. */
export function onboardingFactsOf(row: OnboardingRow): OnboardingFacts {
  return { ...row, has_email: row.recipient_email !== null };
}

/** Why a link leads nowhere any more, or null while it does. */
export function endReason(row: OnboardingRow, now: number): 'expired' | 'revoked' | 'completed' | null {
  const shown = shownOnboardingStatus(row, now);
  return shown === 'expired' || shown === 'revoked' || shown === 'completed' ? shown : null;
}

/** The 410 of a dead link: the reason and nothing about whose it was (S3-53). */
export function linkGone(reason: 'expired' | 'revoked' | 'completed'): Problem {
  const detail = {
    expired: 'This link has expired. Ask whoever sent it to extend it.',
    revoked: 'This link was revoked. Ask whoever sent it for another one.',
    completed: 'This onboarding is completed.',
  }[reason];
  return new Problem({ code: 'onboarding.link-dead', detail, members: { reason } });
}

/** @throws Problem `onboarding.closed` when the link is final, or cannot go where the caller wants it (S3-52). */
export function assertNotFinal(row: OnboardingRow): void {
  if (canMoveOnboarding(row.status, 'revoked')) return;
  throw new Problem({
    code: 'onboarding.closed',
    detail: `The link is ${row.status}, which is final.`,
    members: { status: row.status },
  });
}
