import type { Notification } from '../../domain/notification/notification.ts';
import { notificationKey } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingNotification } from '../../domain/onboarding/onboarding.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { OnboardingAnnouncement } from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import type { RemindedLink } from './onboarding-timer.service.ts';

/** Sends a reminder to the recipient of a link, without its address: only its holder knows the token. */
export async function sendReminder(
  { mailer }: Pick<ProcessDeps, 'mailer'>,
  { recipient_email, recipient_name, purpose, expires_at }: RemindedLink,
): Promise<void> {
  await mailer.send({
    to: recipient_email,
    subject: `Reminder: ${purpose}`,
    text:
      `Hello ${recipient_name},\n\nyour onboarding (${purpose}) is not completed yet. Please open the link that you were ` +
      `sent; it can be used until ${expires_at}.\n\nIf you no longer have it, ask whoever sent it to you for another one.\n`,
  });
}

const headlines = {
  opened: 'An onboarding link was opened for the first time',
  completed: 'An onboarding was completed',
  expiring: 'An onboarding link is about to expire; extend it if it is still needed',
  expired: 'An onboarding link has expired; extending it lets its holder go on',
} as const satisfies Record<OnboardingNotification, string>;

/** The notification of a link's creator. It holds nothing personal, because any channel of the tenant may carry it. */
export function creatorNotification(
  { expires_at, outcome }: OnboardingRow,
  { link_id, news, extended_count }: OnboardingAnnouncement,
  publicUrl: string,
): Notification {
  const roles_waiting = outcome?.roles_waiting.length ?? 0;
  const waiting =
    roles_waiting === 0
      ? ''
      : '\n\nRoles of the new account wait for an approval: ask for it with the action onboarding.grant-roles.';
  const url = new URL(`/api/admin/onboarding/link/${link_id}`, publicUrl).href;
  return {
    event: `onboarding.${news}`,
    event_key: `onboarding/${link_id}/${notificationKey(news, extended_count)}`,
    subject: headlines[news],
    text: `${headlines[news]}.\n\nLink ${link_id}, valid until ${expires_at}.${waiting}\n\n${url}`,
    data: { link_id, news, expires_at, roles_waiting },
  };
}
