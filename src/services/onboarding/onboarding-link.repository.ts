import { sql } from 'kysely';
import { canMoveOnboarding, effectiveOnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingLinkState } from '../../domain/onboarding/onboarding.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { openOnboarding } from './onboarding-access.service.ts';

/** The columns that an administrator may see: all but the hash of the token. */
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

/** The time of a write. Not `now()`: the transaction may have waited for the row's lock since it began. */
export const clockTimestamp = sql<string>`clock_timestamp()`;

/** What the rules of a link look at. */
export function linkStateOf(row: OnboardingRow): OnboardingLinkState {
  return { ...row, has_email: row.recipient_email !== null };
}

/** Why a link can no longer be used, or null while it can. @param now milliseconds since the epoch */
export function endReason(row: OnboardingRow, now: number): 'expired' | 'revoked' | 'completed' | null {
  const status = effectiveOnboardingStatus(row, now);
  return status === 'expired' || status === 'revoked' || status === 'completed' ? status : null;
}

/** The 410 of a link that has ended: the reason, and nothing about its recipient (S3-53). */
export function linkGone(reason: 'expired' | 'revoked' | 'completed'): Problem {
  const detail = {
    expired: 'This link has expired. Ask whoever sent it to extend it.',
    revoked: 'This link was revoked. Ask whoever sent it for another one.',
    completed: 'This onboarding is completed.',
  }[reason];
  return new Problem({ code: 'onboarding.link-dead', detail, members: { reason } });
}

/** @throws Problem `onboarding.closed` when the link is completed or revoked, which is final (S3-52). */
export function assertNotFinal(row: OnboardingRow): void {
  if (canMoveOnboarding(row.status, 'revoked')) return;
  throw new Problem({
    code: 'onboarding.closed',
    detail: `The link is ${row.status}, which is final.`,
    members: { status: row.status },
  });
}
