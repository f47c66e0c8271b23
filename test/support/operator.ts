import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import type { Server } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { startApi } from '../../src/api/server.ts';
import type { RunningApi } from '../../src/api/server.ts';
import type { Env } from '../../src/platform/env.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { totpCodeOfStep, totpPeriodSeconds, totpStepAt } from '../../src/platform/security/totp.ts';
import { startWorker } from '../../src/worker.ts';
import { callApi, testEnv } from './api.ts';
import type { Answer } from './api.ts';
import { createTestDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';
import { Recording } from './dumps.ts';
import { testPassword } from './people.ts';
import { listenForMail, smtpServer } from './servers/smtp-server.ts';

/** How a run of the command ended. */
export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Tokens of the printed links, in order. */
  readonly tokens: string[];
}

/** An installation as it is after `migrate`: nobody in it, API and worker running, mail taken by a server. */
export interface Installation {
  readonly env: Env;
  readonly api: RunningApi;
  readonly database: TestDatabase;
  /** Messages that the mail server has taken. */
  readonly mails: string[];
  /** What API and worker have logged. */
  readonly log: Recording;
  /** Runs `npm run admin:create` with the same servers and keys, in production. */
  adminCreate(args: readonly string[], overrides?: NodeJS.ProcessEnv): Promise<CommandRun>;
  /** A call from an address of its own, so that no limit is met by chance. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  close(): Promise<void>;
}

const stepMs = totpPeriodSeconds * 1_000;
const publicUrl = 'https://castellan.example';

/** Starts an {@link Installation}. Close it in `afterAll`. */
export async function startInstallation(): Promise<Installation> {
  const database = await createTestDatabase();
  const mails: string[] = [];
  const mailServer = smtpServer(mails);
  const env = testEnv(database, {
    SMTP_URL: await listenForMail(mailServer),
    MAIL_FROM: 'castellan@castellan.example',
    PUBLIC_URL: publicUrl,
    TRUSTED_PROXIES: '1',
    LOG_LEVEL: 'debug',
  });
  const recording = new Recording();
  const log = createLogger({ level: env.LOG_LEVEL, name: 'installation', destination: recording });
  const api = await startApi(env, log);
  const worker = await startWorker(env, log);
  return {
    env,
    api,
    database,
    mails,
    log: recording,
    adminCreate: (args, overrides = {}) => runCommand(args, { ...commandEnv(env), ...overrides }),
    call: (method, path, body, token) =>
      callApi(api.url, method, path, { body, token, headers: { 'x-forwarded-for': anyAddress() } }),
    close: async () => {
      await worker.close();
      await api.close();
      await stop(mailServer);
      await database.drop();
    },
  };
}

/** A link that was opened: its token, whose it is, and the key for an app. */
interface OpenedLink {
  readonly token: string | undefined;
  readonly email: string;
  readonly secret: string;
}

export async function openLink(at: Pick<Installation, 'call'>, token: string | undefined): Promise<OpenedLink> {
  const opened = await at.call('POST', '/auth/account-links/open', { token });
  if (opened.status !== 200) throw new Error(`The link cannot be opened: ${JSON.stringify(opened.body)}`);
  const { email, totp } = opened.body;
  return { token, email, secret: totp.secret };
}

/** What a person does with a link: opens it, enters the key in an app, chooses a password. */
export async function useLink(at: Pick<Installation, 'call'>, token: string | undefined): ReturnType<typeof completeLink> {
  return completeLink(at, await openLink(at, token));
}

/** Enters the key of an opened link in an app, and chooses a password. */
export async function completeLink(
  at: Pick<Installation, 'call'>,
  { token, email, secret }: OpenedLink,
): Promise<{ answer: Answer; password: string; secret: string; email: string }> {
  const password = testPassword();
  const code = await earlierCode(secret);
  const answer = await at.call('POST', '/auth/account-links/complete', { token, password, code });
  return { answer, password, secret, email };
}

/** Signs in with password and a code. */
export function signIn(
  at: Pick<Installation, 'call'>,
  person: { readonly email: string; readonly password: string; readonly secret: string; readonly tenant_domain?: string },
): Promise<Answer> {
  const { email, password, secret, tenant_domain } = person;
  return at.call('POST', '/auth/login', { email, password, code: presentCode(secret), tenant_domain });
}

/**
 * The code before the present one, which a link takes too, so that the present one is left for signing in. It stays good
 * for some seconds: near the end of a time step the next one is waited for.
 */
export async function earlierCode(secret: string): Promise<string> {
  const left = stepMs - (Date.now() % stepMs);
  if (left < 6_000) await setTimeout(left + 50);
  return totpCodeOfStep(secret, totpStepAt(Date.now()) - 1);
}

export function presentCode(secret: string): string {
  return totpCodeOfStep(secret, totpStepAt(Date.now()));
}

function commandEnv(env: Env): NodeJS.ProcessEnv {
  const shared = [
    'DATABASE_URL',
    'ENCRYPTION_KEYS',
    'AUTH_SIGNING_KEYS',
    'AUDIT_SIGNING_KEYS',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_TASK_QUEUE',
    'PUBLIC_URL',
  ] as const;
  return {
    PATH: process.env['PATH'],
    NODE_ENV: 'production',
    ...Object.fromEntries(shared.map((name) => [name, env[name]])),
  };
}

async function runCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandRun> {
  const child = spawn(process.execPath, ['src/dev/admin-create.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const tokens = [...output.stdout.matchAll(/https:\/\/castellan\.example\/account-link#([\w-]+)/g)].map(([, token]) => token!);
  return { code, ...output, tokens };
}

function anyAddress(): string {
  return `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`;
}

async function stop(server: Server): Promise<void> {
  await new Promise((done) => server.close(done));
}

/** A token of the right form that nobody was given. */
export function strayToken(): string {
  return randomBytes(32).toString('base64url');
}
