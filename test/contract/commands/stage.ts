import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { CastellanSchema } from '../../../src/entities/kysely-schema.ts';
import type { RunningApi } from '../../../src/api/server.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { createMfaChallenge, createRoleAssignment, createTenant, createUser, systemRoleId } from '../../support/factories/identity.ts';
import { fromNow, hour } from '../../support/factories/defaults.ts';
import { insertRow } from '../../support/factories/row-insertion.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
import { callProven } from '../../support/second-factor.ts';
import { postgresApplication } from '../../support/servers/bullmq.ts';
import type { AppQueue, BullmqApplication } from '../../support/servers/bullmq.ts';
import { startCommitProxy } from '../../support/servers/commit-proxy.ts';
import type { CommitProxy } from '../../support/servers/commit-proxy.ts';
import { openAsSuperuser } from '../../support/superuser.ts';
import { startInProcessWorker } from '../../support/temporal/worker-in-process.ts';
import type { InProcessWorker } from '../../support/temporal/worker-in-process.ts';

/** Somebody who may call. */
export type Person = SignedIn;

/** How long a command may be carried out at the API that gives up early. */
export const shortDeadlineMs = 1_500;

/** What the lines of the table are tried on: four API processes and a worker on one database, and what they talk to. */
export class CommandStage {
  readonly app: TestApi;
  readonly worker: InProcessWorker;
  readonly service: KeyService;
  /** A second process. */
  readonly second: RunningApi;
  /** One whose connections to the database can be cut at the commit. */
  readonly cuttable: RunningApi;
  readonly proxy: CommitProxy;
  /** One that gives a command up after {@link shortDeadlineMs}. */
  readonly hasty: RunningApi;
  /** The database behind every policy. */
  readonly db: Kysely<CastellanSchema>;
  readonly admin: Person;
  /** Another one who may everything. */
  readonly approver: Person;
  readonly #company: BullmqApplication;
  readonly #passwordHash: string;

  private constructor(parts: Parts) {
    this.app = parts.app;
    this.worker = parts.worker;
    this.service = parts.service;
    [this.second, this.cuttable, this.hasty] = [parts.second, parts.cuttable, parts.hasty];
    this.proxy = parts.proxy;
    this.db = parts.db;
    [this.admin, this.approver] = [parts.admin, parts.approver];
    this.#company = parts.company;
    this.#passwordHash = parts.passwordHash;
  }

  static async open(): Promise<CommandStage> {
    const service = await KeyService.start();
    // What is in trouble stays so.
    service.retryAfter = '3600';
    const app = await startTestApi({ OUTBOUND_ALLOW: service.host });
    const worker = await startInProcessWorker(app);
    const address = new URL(app.env.DATABASE_URL);
    const proxy = await startCommitProxy({ host: address.hostname, port: Number(address.port) });
    address.host = `${proxy.host}:${proxy.port}`;
    const second = await app.another();
    const cuttable = await app.another({ DATABASE_URL: address.href });
    const hasty = await app.another({ COMMAND_DEADLINE_MS: shortDeadlineMs });
    const db = openAsSuperuser(app.database.adminUrl, 4);
    const company = postgresApplication(app.env.DATABASE_OWNER_URL ?? '');
    const [admin, approver] = [await app.signIn('role-super-admin'), await app.signIn('role-super-admin', 1)];
    const sample = db.selectFrom('users').select('password_hash').where('id', '=', admin.user_id);
    const { password_hash } = await sample.executeTakeFirstOrThrow();
    const parts = { app, worker, service, second, cuttable, proxy, hasty, db, company, admin, approver };
    return new CommandStage({ ...parts, passwordHash: password_hash ?? '' });
  }

  async close(): Promise<void> {
    await this.#company.close();
    await this.worker.close();
    await this.db.destroy();
    await this.app.close();
    await this.proxy.close();
    await this.service.stop();
  }

  /** A new super admin with a session, in a tenant; his password is the sample password. */
  async person(tenant_id: string = defaultTenantId): Promise<Person> {
    const user = await createUser(this.db, { tenant_id, password_hash: this.#passwordHash });
    const role_id = await systemRoleId(this.db, 'role-super-admin');
    await createRoleAssignment(this.db, { tenant_id, user_id: user.id, role_id });
    const session = await insertRow(this.db, 'sessions', {
      tenant_id,
      user_id: user.id,
      method: 'password',
      expires_at: fromNow(hour),
    });
    const subject = { user_id: user.id, session_id: session.id, tenant_id };
    const { token } = await this.app.api.deps.accessTokens.issue(subject);
    return { ...subject, token, email: user.email ?? '', refresh_token: '', totp_secret: '' };
  }

  /** Two super admins of a new tenant, where nobody else changes anything. */
  async tenant(): Promise<{ tenant_id: string; person: Person; other: Person }> {
    const { id: tenant_id } = await createTenant(this.db);
    return { tenant_id, person: await this.person(tenant_id), other: await this.person(tenant_id) };
  }

  /** Calls the first process, with a factor proof where one is asked for. @throws when it does not succeed */
  async done(person: Person, method: string, path: string, options: Parameters<typeof callProven>[4] = {}) {
    const answer = await callProven(this.app, person, method, path, options);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }

  /** A factor proof for what a refusal asks for. */
  async proof({ user_id, session_id }: Person, { action, payload_digest }: { action: string; payload_digest: string }): Promise<string> {
    const binding = { user_id, session_id, action, payload_digest };
    const challenge = await createMfaChallenge(this.db, binding);
    const { token } = await this.app.api.deps.mfaTokens.issue(binding, challenge.id);
    return token;
  }

  /** A queue of the company, registered for the staging environment. */
  async queue(): Promise<{ name: string; queue: AppQueue; company: BullmqApplication }> {
    const name = `q${randomBytes(5).toString('hex')}`;
    const queue = this.#company.queue(name);
    await queue.waitUntilReady();
    const body = { name, provider: 'bullmq', source_name: name, environment: 'staging' };
    await this.done(this.admin, 'POST', '/admin/queues', { body });
    return { name, queue, company: this.#company };
  }

  /** Workflows that were started in a span of time and still run. */
  async runningWorkflows(from: Date, to: Date): Promise<string[]> {
    const { client, taskQueue } = this.app.api.deps.temporal;
    const started = `StartTime >= '${from.toISOString()}' and StartTime < '${to.toISOString()}'`;
    const query = `TaskQueue = '${taskQueue}' and ExecutionStatus = 'Running' and ${started}`;
    const found: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query })) found.push(workflowId);
    return found;
  }

  readonly password = samplePassword;
}

interface Parts {
  readonly app: TestApi;
  readonly worker: InProcessWorker;
  readonly service: KeyService;
  readonly second: RunningApi;
  readonly cuttable: RunningApi;
  readonly proxy: CommitProxy;
  readonly hasty: RunningApi;
  readonly db: Kysely<CastellanSchema>;
  readonly company: BullmqApplication;
  readonly admin: Person;
  readonly approver: Person;
  readonly passwordHash: string;
}
