import { randomUUID } from 'node:crypto';
import { modulePermissionSweepWorkflowType } from '../../../src/workflows/identity/module-permission-sweep.contract.ts';
import type { ModulePermissionSweepResult } from '../../../src/workflows/identity/module-permission-sweep.contract.ts';
import type { TestApi } from '../api.ts';
import { auditEvents } from '../audit-events.ts';
import { day, fromNow } from '../factories/defaults.ts';
import { newMember } from '../people.ts';
import type { Member } from '../people.ts';
import { callProven } from '../second-factor.ts';
import { asSuperuser } from '../superuser.ts';

/** A module permission of somebody who has no other. */
export interface Granted {
  readonly id: string;
  readonly person: Member;
  readonly path: string;
}

/** A delivery of what is told of the end of a permission. */
export interface ToldEnd {
  readonly [column: string]: unknown;
  readonly news: string;
  readonly user_id: string;
  readonly payload: Record<string, unknown>;
  readonly body: string;
  readonly attempts: number;
}

/** Grants module permissions as `admin`, lets them end, and sees what is told and recorded of it. */
export function modulePermissionDriver(app: TestApi, admin: Member) {
  const startSweep = () =>
    app.api.deps.temporal.client.workflow.start(modulePermissionSweepWorkflowType, {
      taskQueue: app.env.TEMPORAL_TASK_QUEUE,
      workflowId: `sweep-${randomUUID()}`,
      args: [],
    });
  return {
    /** Starts a sweep, also while no worker runs. */
    startSweep,
    sweep: async () => (await (await startSweep()).result()) as ModulePermissionSweepResult,
    /** A permission of somebody new, `days` before its end. */
    granted: async (days: number): Promise<Granted> => {
      const person = await newMember(app, admin);
      const path = `/api/v1/users/${person.user_id}/agent-permissions`;
      const body = { agent_name: 'pdf_processing', can_read: true, expires_at: fromNow(days * day) };
      const given = await callProven(app, admin, 'POST', path, { body });
      if (given.status !== 201) throw new Error(`No permission: ${JSON.stringify(given.body)}`);
      return { id: given.body.id, person, path: `${path}/pdf_processing` };
    },
    /** Moves the end where no request could, `seconds` from now. */
    endAt: ({ id }: Granted, seconds: number) =>
      asSuperuser(app, 'update user_agent_permissions set expires_at = $2 where id = $1', [id, fromNow(seconds)]),
    extend: async ({ path }: Granted, days: number): Promise<number> => {
      const { headers } = await app.call('GET', path, { token: admin.token });
      const options = { headers: { 'if-match': headers.get('etag') ?? '' }, body: { expires_at: fromNow(days * day) } };
      return (await callProven(app, admin, 'POST', `${path}/extend`, options)).status;
    },
    /** What was told of a permission, and to whom. */
    told: ({ id }: Granted) =>
      asSuperuser<ToldEnd>(
        app,
        `select split_part(event_key, '/', 3) as news, user_id, payload, body, attempts from notification_deliveries
         where event_key like $1 order by created_at`,
        [`module-permission/${id}/%`],
      ),
    /** Events of the audit log. */
    changes: async ({ id }: Granted) =>
      (await auditEvents(app, 'user_agent_permission', id)).map((event) => event.replace('agent-permission.', '')),
  };
}
