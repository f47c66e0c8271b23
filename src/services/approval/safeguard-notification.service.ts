import { z } from 'zod';
import type { ActorRef } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { ReadSource } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { activeDeciders } from '../identity/role/decider.queries.ts';
import { findActingToken } from '../identity/sign-in/answerable-person.queries.ts';
import type { ActingToken } from '../identity/sign-in/answerable-person.queries.ts';
import { userName } from '../identity/user-names.queries.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';
import { safeguardDeeds } from './safeguard-news.repository.ts';
import type { SafeguardDeed } from './safeguard-news.repository.ts';
import { uuid } from '../../platform/value-schemas.ts';

const safeguardNews = z.object({
  actor: z.custom<ActorRef>((value) => typeof value === 'object' && value !== null),
  deed: z.enum(Object.keys(safeguardDeeds) as [SafeguardDeed, ...SafeguardDeed[]]),
  user_id: uuid.optional(),
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
  const token = await findActingToken(deps.db, actor);
  const who = token === null ? await personInWords(deps.db, actor) : await tokenInWords(deps.db, actor, token);
  const about = user_id === undefined ? (subject ?? '') : await userName(deps.db, actor, user_id);
  const headline = `${who} ${safeguardDeeds[deed]} ${about}`;
  const everybody = isForPersonOnly ? [] : await activeDeciders(deps.db, actor);
  // The owner of a token answers for it, and may not know what it does.
  const owner = token?.owner_id ?? null;
  const recipients = new Set([...everybody, ...(owner === null ? [] : [owner]), ...(user_id === undefined ? [] : [user_id])]);
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

async function personInWords(db: ReadSource, actor: ActorRef): Promise<string> {
  if (actor.user_id === null) return 'The operator, the staff of the platform or a job of the product';
  return userName(db, actor, actor.user_id);
}

async function tokenInWords(db: ReadSource, actor: ActorRef, { name, owner_id }: ActingToken): Promise<string> {
  const owner = owner_id === null ? '' : ` of ${await userName(db, actor, owner_id)}`;
  return `The service token '${name}'${owner}`;
}
