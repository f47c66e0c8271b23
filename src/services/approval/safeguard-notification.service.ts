import { z } from 'zod';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { activeDeciders } from '../identity/role/decider.queries.ts';
import { userName } from '../identity/user-names.queries.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';
import { safeguardDeeds } from './safeguard-news.repository.ts';
import type { SafeguardDeed } from './safeguard-news.repository.ts';

const safeguardNews = z.object({
  actor: z.custom<ActorRef>((value) => typeof value === 'object' && value !== null),
  deed: z.enum(Object.keys(safeguardDeeds) as [SafeguardDeed, ...SafeguardDeed[]]),
  user_id: z.uuid().optional(),
  subject: z.string().optional(),
});

/**
 * Tells everybody who decides in the tenant, and the person whom it concerns, what `putSafeguardNews` has noted (R13).
 *
 * @param isForPersonOnly nobody but the person is told: the account does not decide.
 * @param occurrence names it, so that it is told once.
 * @throws Problem `service.unavailable` while Temporal cannot be reached.
 */
export async function tellDeciders(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  input: JsonObject,
  occurrence: string,
  isForPersonOnly = false,
): Promise<void> {
  const { actor, deed, user_id, subject } = safeguardNews.parse(input);
  const who = actor.user_id === null ? 'The operator, the staff of the platform or a job of the product' : await userName(deps.db, actor, actor.user_id);
  const about = user_id === undefined ? (subject ?? '') : await userName(deps.db, actor, user_id);
  const headline = `${who} ${safeguardDeeds[deed]} ${about}`;
  const everybody = isForPersonOnly ? [] : await activeDeciders(deps.db, actor);
  const recipients = new Set([...everybody, ...(user_id === undefined ? [] : [user_id])]);
  const event = user_id === undefined ? 'approval.safeguard' : 'account.guarded';
  const notification = {
    event,
    event_key: `${event}/${occurrence}`,
    subject: headline.slice(0, 200),
    text:
      `${headline}.\n\nYou are told because you decide on approvals, or because it concerns you. If it is not as it should ` +
      'be, ask another administrator at once.',
    data: { deed, ...(user_id === undefined ? {} : { user_id }) },
  } as const;
  await createNotify(deps)(actor, notification, [...recipients]);
}
