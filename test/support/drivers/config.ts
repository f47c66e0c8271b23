import type { EnvironmentName } from '../../../src/domain/shared/environment.ts';
import type { Answer, SignedIn, TestApi } from '../api.ts';
import { eventually } from '../eventually.ts';
import { callProven } from '../second-factor.ts';

/** A schema with one secret and one bounded number. */
export const shopSchema = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: 1_000_000 },
    database: {
      type: 'object',
      properties: { host: { type: 'string' }, password: { type: 'string', minLength: 8, 'x-secret': true } },
      required: ['host'],
    },
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['limit'],
  additionalProperties: false,
};

/** A part of a proposal as a test states it. */
export interface Change {
  readonly environment: EnvironmentName;
  readonly document: object;
  readonly base_version?: number | null;
  readonly schema?: object;
  readonly plan?: object;
}

/** Calls the configuration endpoints of a test API as a person with a second factor. */
export interface ConfigDriver {
  /** Proposes a change of what runs, unless another base is given. */
  propose(change: Change | readonly Change[], headers?: Record<string, string>): Promise<Answer>;
  /** Proposes a change outside production and returns its first deployment. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of every shape
  started(change: Change | readonly Change[]): Promise<any>;
  /** What an environment serves, as people see it. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of every shape
  shown(environment: EnvironmentName): Promise<any>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of every shape
  deployment(id: string): Promise<any>;
  /** The events of a deployment in the ledger, in order. */
  events(id: string): Promise<string[]>;
  /** Waits until a deployment has a status. */
  settled(id: string, status: string, timeoutMs?: number): ReturnType<ConfigDriver['deployment']>;
  say(id: string, word: string, body?: object, person?: SignedIn): Promise<Answer>;
  rollback(id: string, person?: SignedIn): Promise<Answer>;
  /** Approves a request by its own digest. */
  approve(person: SignedIn, request: { id: string; digest: string }): Promise<Answer>;
  /** Whether the ledger of an environment is intact. */
  isIntact(environment: EnvironmentName): Promise<boolean>;
  /** A service token for an environment's configuration. */
  token(environment: EnvironmentName): Promise<string>;
  /** What an instance of an application is served. */
  read(token: string, environment: EnvironmentName, instance?: string, headers?: Record<string, string>): Promise<Answer>;
}

/** A driver that acts as `person`. */
export function configDriver(app: TestApi, person: SignedIn): ConfigDriver {
  const { token } = person;
  const driver: ConfigDriver = {
    propose: async (change, headers = {}) => {
      const changes: object[] = [];
      for (const one of 'environment' in change ? [change] : change) {
        const base_version = (await driver.shown(one.environment)).running?.version ?? null;
        changes.push({ base_version, ...one });
      }
      const body = { changes, reason: 'a test wants it' };
      return callProven(app, person, 'POST', '/admin/environment-config/proposals', { body, headers });
    },
    started: async (change) => {
      const answer = await driver.propose(change);
      if (answer.status !== 201) throw new Error(`Not started: ${JSON.stringify(answer.body)}`);
      return answer.body.deployments[0];
    },
    shown: async (environment) => {
      const answer = await app.call('GET', `/admin/environment-config?environment=${environment}`, { token });
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      return answer.body.items[0];
    },
    deployment: async (id) => (await app.call('GET', `/admin/deployments/${id}`, { token })).body,
    events: async (id) => (await driver.deployment(id)).ledger.map(({ event }: { event: string }) => event),
    settled: (id, status, timeoutMs) =>
      eventually(
        () => driver.deployment(id),
        (deployment) => deployment.status === status,
        timeoutMs,
      ),
    say: (id, word, body = {}, as = person) => callProven(app, as, 'POST', `/admin/deployments/${id}/${word}`, { body }),
    rollback: (id, as = person) =>
      callProven(app, as, 'POST', `/admin/deployments/${id}/rollback`, { body: { reason: 'it was better' } }),
    approve: (approver, { id, digest }) =>
      callProven(app, approver, 'POST', `/admin/approvals/${id}/approve`, { body: { digest } }),
    isIntact: async (environment) =>
      (await app.call('GET', `/admin/deployments/ledger?environment=${environment}`, { token })).body.is_intact,
    token: async (environment) => {
      const body = { name: `app in ${environment}`, environment, permissions: ['config:read'] };
      return (await callProven(app, person, 'POST', '/admin/service-tokens', { body })).body.token;
    },
    read: (serviceToken, environment, instance, headers = {}) =>
      app.call('GET', `/config/${environment}${instance === undefined ? '' : `?instance=${instance}`}`, {
        token: serviceToken,
        headers,
      }),
  };
  return driver;
}
