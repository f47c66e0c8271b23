import type { ActorRef } from '../../domain/shared/actor.ts';
import { wantsEvent } from '../../domain/notification/notification.ts';
import type { NotificationEvent } from '../../domain/notification/notification.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import { rightsOfRows } from '../approval/eligible-people.queries.ts';
import { activeRoles } from '../identity/role/active-role.queries.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { readAll } from '../../platform/database/read.ts';

/** Who may configure alerts is responsible for them. */
const responsible: Permission = 'health:configure';

/**
 * The people who are notified of an event of the monitoring directly, because no channel of the tenant takes it: those who
 * may configure alerts. So alerts reach somebody in a new installation, which has no channel.
 *
 * @returns ids of users; none when a channel takes the event.
 */
export async function alertRecipients(
  db: Pick<Database, 'readPool'>,
  actor: ActorRef,
  event: NotificationEvent,
): Promise<string[]> {
  const [channels, held] = await readAll(db, actor, [
    kysely.selectFrom('notification_channels').where('deleted_at', 'is', null).where('is_enabled', '=', true).select('events'),
    activeRoles(),
  ] as const);
  if (channels.some(({ events }) => wantsEvent(events, event))) return [];
  return rightsOfRows(held).flatMap(({ user_id, permissions }) => (permissions.includes(responsible) ? [user_id] : []));
}
