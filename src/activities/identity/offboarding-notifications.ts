import type { ActorRef } from '../../domain/shared/actor.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import { userDelete, userDeleted } from '../../services/identity/user-delete.action.ts';
import { query } from '../../entities/kysely-schema.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import type { Notify } from '../../services/notification/notify.client.ts';

/**
 * Tells connected applications of a person whose account an approved request has closed, as the endpoint does where
 * nobody had to approve. A repetition reaches nobody twice.
 */
export async function notifyOfApprovedOffboarding(
  { db, notify }: { db: Database; notify: Notify },
  actor: ActorRef,
  approvalId: string,
): Promise<void> {
  const [executed] = await read(
    db,
    actor,
    query
      .selectFrom('admin_approvals')
      .where('id', '=', approvalId)
      .where('action', '=', userDelete.name)
      .where('status', '=', 'executed')
      .select('result'),
  );
  if (executed === undefined) return;
  const { user_id } = userDeleted.parse(executed.result);
  await notify(actor, sessionsEndedNotification(user_id, 'deactivated', approvalId), []);
}
