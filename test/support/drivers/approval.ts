import { safePolicy } from '../../../src/domain/approval/approval-gate.ts';
import type { ApprovalPolicy } from '../../../src/domain/approval/approval-policy.ts';
import type { FlagDefinition } from '../../../src/domain/flag/flag.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import type { Answer, SignedIn, TestApi } from '../api.ts';
import { eventually } from '../eventually.ts';
import { createApprovalPolicy } from '../factories/approval.ts';
import { asSuperuser } from '../superuser.ts';
import { createFlag, createFlagVersion } from '../factories/flag.ts';
import { callProven } from '../second-factor.ts';

/** What a test needs of an opened request. */
export interface OpenedRequest {
  readonly id: string;
  readonly digest: string;
  readonly review_due_at: string;
}

/** A boolean flag that is off. */
export const plainFlag: Omit<FlagDefinition, 'description' | 'rules' | 'off_is_safe'> = {
  value_type: 'boolean',
  variants: { on: true, off: false },
  enabled: false,
  on_variant: 'on',
  off_variant: 'off',
  rollout_percentage: 0,
};

/** Requests and decides approvals at a test API, with the second factor where it is asked for. */
export interface ApprovalDriver {
  /** Inserts a production flag at version 1, past the gates, so that a test starts with the change it is about. */
  productionFlag(key: string): Promise<void>;
  /** The flag of production. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of every shape
  flag(key: string): Promise<any>;
  /** Requests that a production flag is switched on. */
  requestToggle(key: string): Promise<Answer>;
  /** A new production flag and the request to switch it on. */
  opened(key: string): Promise<OpenedRequest>;
  say(
    person: SignedIn,
    what: string,
    request: { id: string },
    body: object,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  approve(person: SignedIn, request: { id: string; digest: string }, headers?: Record<string, string>): Promise<Answer>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of every shape
  detail(id: string): Promise<any>;
  /** Waits until the request has a status. */
  settled(id: string, status: string, timeoutMs?: number): ReturnType<ApprovalDriver['detail']>;
  /** The events of the request's history, oldest first. */
  events(id: string): Promise<string[]>;
  /** Writes the gate policy of switching production flags over HTTP; `version` 0 for a new one. */
  putPolicy(body: object): Promise<Answer>;
  /**
   * Sets the gate policy of switching production flags past the gates: an installation of four people cannot write one that
   * asks for two of them, because nobody could be missing then.
   */
  setPolicy(policy: Partial<ApprovalPolicy> & { readonly action?: string }): Promise<void>;
  /** Has a statement run in the very transaction that approves a request, so that something has changed before it is executed. */
  whenApproved(id: string, statement: string): Promise<void>;
  /** Removes the gate policies of an action past the gates. */
  dropPolicy(action?: string): Promise<void>;
}

/** A driver that requests and reads as `requester`. */
export function approvalDriver(app: TestApi, requester: SignedIn): ApprovalDriver {
  const { token } = requester;
  const driver: ApprovalDriver = {
    productionFlag: async (key) => {
      const flag = await createFlag(app, { key });
      await createFlagVersion(app, { flag_id: flag.id, key, definition: jsonb({ description: '', rules: [], ...plainFlag }) });
    },
    flag: async (key) => (await app.call('GET', `/admin/feature-flags/${key}?environment=production`, { token })).body,
    requestToggle: (key) =>
      callProven(app, requester, 'POST', `/admin/feature-flags/${key}/toggle`, {
        body: { environment: 'production', enabled: true, version: 1, reason: 'launch day' },
      }),
    opened: async (key) => {
      await driver.productionFlag(key);
      const answer = await driver.requestToggle(key);
      if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
      return answer.body;
    },
    say: (person, what, { id }, body, headers = {}) =>
      callProven(app, person, 'POST', `/admin/approvals/${id}/${what}`, { body, headers }),
    approve: (person, request, headers) => driver.say(person, 'approve', request, { digest: request.digest }, headers),
    detail: async (id) => (await app.call('GET', `/admin/approvals/${id}`, { token })).body,
    settled: (id, status, timeoutMs) =>
      eventually(
        () => driver.detail(id),
        (request) => request.status === status,
        timeoutMs,
      ),
    events: async (id) => {
      const history = await app.call('GET', `/admin/approvals/history?approval_id=${id}`, { token });
      return history.body.items.map(({ event }: { event: string }) => event).reverse();
    },
    setPolicy: async ({ action = 'flag.toggle', ...policy }) => {
      await driver.dropPolicy(action);
      const { steps, bypassers, ...windows } = { ...safePolicy, ...policy };
      const row = { action, environment: 'production', gate: 'approval', steps: jsonb(steps), bypassers, ...windows } as const;
      await createApprovalPolicy(app, row);
    },
    whenApproved: async (id, statement) => {
      const name = `when_approved_${id.replaceAll('-', '')}`;
      await asSuperuser(
        app,
        `create function ${name}() returns trigger language plpgsql security definer as $$ begin ${statement}; return new; end $$`,
      );
      await asSuperuser(
        app,
        `create trigger ${name} after update on admin_approvals for each row
         when (new.status = 'approved' and new.id = '${id}') execute function ${name}()`,
      );
    },
    dropPolicy: async (action = 'flag.toggle') => {
      await asSuperuser(app, 'delete from admin_approval_policies where action = $1', [action]);
    },
    putPolicy: (body) =>
      callProven(app, requester, 'PUT', '/admin/approval-policies', {
        body: {
          action: 'flag.toggle',
          environment: 'production',
          gate: 'approval',
          steps: [{ name: 'administrator', roles: ['role-super-admin', 'role-provider-admin'], quorum: 1 }],
          version: 0,
          ...body,
        },
      }),
  };
  return driver;
}
