import { sql } from 'kysely';
import { endNoticeMs } from '../../../domain/identity/module-permission.ts';
import type { ModuleEndNews } from '../../../domain/identity/module-permission.ts';
import type { Notification } from '../../../domain/notification/notification.ts';
import { notificationEvents } from '../../../domain/notification/notification.ts';
import { defaultTenantId, systemActor } from '../../../domain/shared/actor.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { modulePermissionSweepSchedule } from '../../../workflows/identity/module-permission-sweep.contract.ts';
import type { ModulePermissionSweepPage } from '../../../workflows/identity/module-permission-sweep.contract.ts';
import { createNotify } from '../../notification/notification-delivery.client.ts';
import { recordExpiry, recordNotice } from './module-permission-end.service.ts';
import { unsettledEnd } from './module-permission.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/** Ends that one page of a sweep settles at most. */
const pageSize = 200;

/** An end that is near or past, and was not told or recorded yet. */
interface DueEnd {
  readonly tenant_id: string;
  readonly permission_id: string;
  readonly ends_at: string;
  readonly has_expired: boolean;
}

/**
 * Tells and records ends of module permissions in all tenants, those that have passed first: three days before an end a notice, at
 * the end an audit entry and the news. After an outage a permission that has expired meanwhile gets the latter only.
 *
 * Each end is told first and settled then. Whoever is killed in between tells it again, which its key makes the same delivery; the
 * condition of the update lets one settle it.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable; what is left is due again in the next sweep.
 */
export async function sweepModulePermissions(deps: Deps): Promise<ModulePermissionSweepPage> {
  const notice = sql`make_interval(secs => ${endNoticeMs / 1000})`;
  const statement = sql<DueEnd>`select * from module_permission_ends_due(${notice}, ${pageSize}::int)`;
  const due = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(kysely) });
  const page = { noticed: 0, expired: 0, has_more: due.length === pageSize };
  for (const end of due) {
    if (await settleEnd(deps, end)) page[end.has_expired ? 'expired' : 'noticed'] += 1;
  }
  return page;
}

/** @returns whether this call settled the end; not when somebody else has, or has given the permission another one. */
async function settleEnd(deps: Deps, { tenant_id, permission_id, ends_at, has_expired }: DueEnd): Promise<boolean> {
  const actor = systemActor(tenant_id, { workflow_id: modulePermissionSweepSchedule.scheduleId });
  const permission = await unsettledEnd(deps.db, actor, permission_id, ends_at, has_expired);
  if (permission === undefined) return false;
  const { user_id, granted_by, is_silent } = permission;
  if (!is_silent) {
    const notification = endNotification(has_expired ? 'expired' : 'expiring', permission, ends_at);
    // Who granted it can extend it; that it has ended then concerns its person.
    const concerned = has_expired || granted_by === null ? [user_id] : [user_id, granted_by];
    await createNotify(deps)(actor, notification, concerned);
  }
  const settle = has_expired ? recordExpiry : recordNotice;
  return unitOfWork(deps.db, actor, (tx) => settle(tx, permission_id, ends_at));
}

type ToldPermission = NonNullable<Awaited<ReturnType<typeof unsettledEnd>>>;

/** It holds nothing personal, because any channel of the tenant may carry it. */
function endNotification(
  news: ModuleEndNews,
  { id, user_id, granted_by, agent_name }: ToldPermission,
  expires_at: string,
): Notification {
  const event = `module-permission.${news}` as const;
  const text = {
    expiring: `The permission of the user ${user_id} in the module ${agent_name} ends at ${expires_at}. Extend it if it is still needed.`,
    expired: `The permission of the user ${user_id} in the module ${agent_name} has ended at ${expires_at}. Extending it gives it back.`,
  }[news];
  return {
    event,
    event_key: `module-permission/${id}/${news}/${expires_at}`,
    subject: notificationEvents[event],
    text,
    data: { permission_id: id, user_id, granted_by, agent_name, expires_at },
  };
}
