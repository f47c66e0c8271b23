import { randomBytes } from 'node:crypto';
import { loadEnv } from '../../src/platform/env.ts';
import type { Env } from '../../src/platform/env.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { startApi } from '../../src/api/server.ts';
import type { RunningApi } from '../../src/api/server.ts';
import { samplePassword, samplePeople, seedSampleData } from '../../src/dev/sample-data.ts';
import type { SystemRoleCode } from '../../src/domain/identity/system-roles.ts';
import { createTestDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';
import { temporalAddress, workflowBundlePath } from './temporal/temporal.ts';

/** An answer of the API as a test looks at it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into bodies of every shape; a wrong guess fails the assertion that makes it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface CallOptions {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A person who is signed in to a test API. */
export interface SignedIn {
  readonly user_id: string;
  readonly email: string;
  readonly token: string;
  readonly refresh_token: string;
  readonly session_id: string;
  readonly totp_secret: string;
}

/** The real application on a database of its own, over a real socket. */
export interface TestApi {
  readonly url: string;
  readonly env: Env;
  readonly api: RunningApi;
  readonly database: TestDatabase;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Signs a sample person in by role; `index` picks among several of the same role. */
  signIn(role: SystemRoleCode, index?: number): Promise<SignedIn>;
  /** A second API process' worth of parts on the same database. */
  another(overrides?: Partial<Env>): Promise<RunningApi>;
  close(): Promise<void>;
}

/** The environment of a test: fresh keys, ports picked by the system, limits that a test file does not meet by chance. */
export function testEnv(database: Pick<TestDatabase, 'appUrl' | 'ownerUrl'>, overrides: NodeJS.ProcessEnv = {}): Env {
  const key = () => randomBytes(32).toString('base64');
  return loadEnv({
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    PORT: '0',
    WORKER_PORT: '0',
    DATABASE_URL: database.appUrl,
    DATABASE_OWNER_URL: database.ownerUrl,
    DATABASE_POOL_SIZE: '5',
    DATABASE_READ_POOL_SIZE: '3',
    TEMPORAL_ADDRESS: temporalAddress(),
    TEMPORAL_TASK_QUEUE: `test-${randomBytes(6).toString('hex')}`,
    // CI sets a small cache in one run, so that workers replay histories on nearly every task.
    TEMPORAL_MAX_CACHED_WORKFLOWS: process.env.TEMPORAL_MAX_CACHED_WORKFLOWS,
    WORKFLOW_BUNDLE: workflowBundlePath(),
    ENCRYPTION_KEYS: `k1:${key()}`,
    AUTH_SIGNING_KEYS: `s1:${key()}`,
    AUDIT_SIGNING_KEYS: `castellan-test:${key()}`,
    SIGN_IN_LIMIT_PER_ADDRESS: '10000',
    SIGN_IN_LIMIT_PER_ACCOUNT: '1000',
    RATE_LIMIT_PER_MINUTE: '100000',
    SHUTDOWN_TIMEOUT_SECONDS: '5',
    // A file signs in at its beginning, and takes longer than five minutes on a machine that is busy enough.
    ACCESS_TOKEN_TTL_SECONDS: '3600',
    // Beside other work an answer of a workflow may take longer than people have to wait for it.
    COMMAND_DEADLINE_MS: '30000',
    ...overrides,
  });
}

/** Starts the application with sample data. Close it in `afterAll`. */
export async function startTestApi(overrides: NodeJS.ProcessEnv = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const env = testEnv(database, overrides);
  await seedSampleData(env);
  const log = createLogger({ level: env.LOG_LEVEL, name: 'test' });
  const api = await startApi(env, log);
  const others: RunningApi[] = [];
  const call = (method: string, path: string, options: CallOptions = {}) => callApi(api.url, method, path, options);
  return {
    url: api.url,
    env,
    api,
    database,
    call,
    signIn: (role, index = 0) => signInSample(api.url, role, index),
    another: async (more = {}) => {
      const other = await startApi({ ...env, ...more }, log);
      others.push(other);
      return other;
    },
    close: async () => {
      for (const other of others) await other.close();
      await api.close();
      await database.drop();
    },
  };
}

/** One request over the wire. */
export async function callApi(url: string, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const response = await fetch(new URL(path, url), {
    method,
    redirect: 'manual',
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
  let body: unknown = text === '' ? null : text;
  if (isJson && !/jsonl|ndjson/.test(response.headers.get('content-type') ?? '')) body = JSON.parse(text);
  // Times are given out in one form; inside of JSON, PostgreSQL writes another one.
  const offset = isJson ? /"[^"]*":"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"/.exec(text) : null;
  if (offset !== null) throw new Error(`${method} ${path} answers a time with an offset: ${offset[0]}`);
  return { status: response.status, headers: response.headers, body };
}

/** Signs in over HTTP. */
export async function signInSample(url: string, role: SystemRoleCode, index = 0): Promise<SignedIn> {
  const person = samplePeople.filter((one) => one.role === role)[index];
  if (person === undefined) throw new Error(`There is no sample person ${index} with ${role}.`);
  const answer = await callApi(url, 'POST', '/auth/login', { body: { email: person.email, password: samplePassword } });
  if (answer.status !== 200) throw new Error(`Sign-in of ${person.email} failed: ${JSON.stringify(answer.body)}`);
  return {
    user_id: person.id,
    email: person.email,
    token: answer.body.access_token,
    refresh_token: answer.body.refresh_token,
    session_id: answer.body.session_id,
    totp_secret: person.totp_secret,
  };
}
