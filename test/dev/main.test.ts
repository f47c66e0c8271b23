import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { withClient } from '../../src/dev/bootstrap-database.ts';
import { isAlive, waitForEnd } from '../../src/dev/processes.ts';
import { createTestDatabase } from '../support/database.ts';
import { freePort } from '../../src/dev/ports.ts';
import { temporalAddress, uniqueTaskQueue, workflowBundlePath } from '../support/temporal/temporal.ts';

/** A start takes 3 s here on an idle machine; the tests must also pass on one that is busy with others. */
const startTimeoutMs = 240_000;

const mainProgram = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** One `npm start`. */
class Start {
  readonly child: ChildProcess;
  output = '';
  errors = '';

  constructor(env: NodeJS.ProcessEnv) {
    const inherited = Object.fromEntries(
      ['PATH', 'HOME', 'CASTELLAN_CACHE', 'XDG_CACHE_HOME'].map((name) => [name, process.env[name]]),
    );
    this.child = spawn(process.execPath, [mainProgram], { env: { ...inherited, ...env } });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
  }

  /** Waits for the table at the end of a start. */
  async ready(): Promise<this> {
    while (!this.output.includes('Sample sign-ins')) {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.output}${this.errors}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this;
  }

  /** Waits for the end; undefined for an end by a signal. */
  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  interrupt(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.ended();
  }
}

describe('npm start', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  const starts: Start[] = [];

  function start(changed: NodeJS.ProcessEnv = {}): Start {
    const one = new Start({ ...env, ...changed });
    starts.push(one);
    return one;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'castellan-start-'));
    await chmod(folder, 0o711);
    const names = ['PORT', 'WORKER_PORT', 'POSTGRES_PORT', 'TEMPORAL_PORT', 'TEMPORAL_WEB_PORT'];
    const ports = await Promise.all(names.map(async (name) => [name, String(await freePort())]));
    env = {
      CASTELLAN_DATA: join(folder, 'data'),
      WORKFLOW_BUNDLE: workflowBundlePath(),
      ...Object.fromEntries(ports),
    };
  });

  afterEach(async () => {
    for (const one of starts.splice(0)) {
      one.child.kill('SIGKILL');
      await one.ended();
    }
  });

  afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  /** Ids of the servers that a start has brought up. */
  async function serverPids(): Promise<number[]> {
    const lock = await readFile(join(folder, 'data', 'postgres', 'postmaster.pid'), 'utf8');
    return [Number(lock.split('\n', 1)[0])];
  }

  it('brings up the whole stack, shows where it is, and stops it on Ctrl-C', async () => {
    const first = await start({ WORKFLOW_BUNDLE: undefined }).ready();
    const api = `http://127.0.0.1:${env.PORT}`;
    expect(first.output).toContain(`${api}/docs`);
    expect(first.output).toContain(`http://127.0.0.1:${env.TEMPORAL_WEB_PORT}`);
    expect(first.output).toMatch(/superadmin@\S+ +\S+ +Super Admin +[A-Z2-7]{16,}/);
    expect((await fetch(`${api}/health/ready`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${env.TEMPORAL_WEB_PORT}`)).status).toBe(200);

    const pids = await serverPids();
    expect(await first.interrupt()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(first.errors).toBe('');
    expect(first.output).toMatch(/API\n +worker\n +Temporal\n +PostgreSQL\n/);
  }, startTimeoutMs);

  it('keeps the data and the secrets for the next start, readable for the owner only', async () => {
    const secrets = join(folder, 'data', 'secrets.json');
    const before = await readFile(secrets, 'utf8');
    await start().ready();
    expect(await readFile(secrets, 'utf8')).toBe(before);
    expect((await stat(secrets)).mode & 0o777).toBe(0o600);
    const password = JSON.parse(before).postgres_superuser_password;
    const url = `postgres://postgres:${password}@127.0.0.1:${env.POSTGRES_PORT}/castellan`;
    const { rows } = await withClient(url, (client) =>
      client.query("select count(*)::int as people from users where email = 'superadmin@agentmitra.com'"),
    );
    expect(rows).toEqual([{ people: 1 }]);
  }, startTimeoutMs);

  it('refuses a second start on the same folder in one line', async () => {
    const first = await start().ready();
    const second = start();
    expect(await second.ended()).toBe(1);
    expect(second.errors).toMatch(
      new RegExp(`^Another Castellan runs on this folder \\(pid ${first.child.pid}\\): stop it, or set CASTELLAN_DATA .*\n$`),
    );
  }, startTimeoutMs);

  it('leaves nothing running when it is killed, and starts again', async () => {
    const first = await start().ready();
    const pids = await serverPids();
    first.child.kill('SIGKILL');
    await first.ended();
    await start().ready();
    for (const pid of pids) expect(await waitForEnd(pid, 10_000)).toBe(true);
  }, startTimeoutMs);

  it.each(['PORT', 'WORKER_PORT', 'POSTGRES_PORT', 'TEMPORAL_PORT', 'TEMPORAL_WEB_PORT'])(
    'says in one line that the port of %s is taken, and leaves nothing running',
    async (variable) => {
      const other = createServer();
      const port = await freePort();
      await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
      try {
        const refused = start({ [variable]: String(port) });
        expect(await refused.ended()).toBe(1);
        expect(refused.errors).toMatch(new RegExp(`^Port ${port} \\(.*\\) is in use by another program: .*set ${variable} .*\n$`));
        await expect(serverPids()).rejects.toThrow('ENOENT');
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    },
    startTimeoutMs,
  );

  it.each([
    ['a bad setting', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
    ['a port that is none', { TEMPORAL_PORT: 'http' }, 'TEMPORAL_PORT must be a port number'],
    ['production', { NODE_ENV: 'production' }, 'npm start brings sample sign-ins'],
    ['a database without its owner', { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c' }, 'set DATABASE_OWNER_URL too'],
    [
      'a database that does not answer',
      { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c', DATABASE_OWNER_URL: 'postgres://a:b@127.0.0.1:1/c' },
      'The database of DATABASE_URL does not let us in',
    ],
    ['a Temporal that does not answer', { TEMPORAL_ADDRESS: '127.0.0.1:1' }, 'Temporal does not answer at TEMPORAL_ADDRESS'],
  ])('ends with one line for %s', async (_what, changed, expected) => {
    const refused = start(changed);
    expect(await refused.ended()).toBe(1);
    expect(refused.errors).toContain(expected);
    expect(refused.errors.match(/\n/g)).toHaveLength(1);
  }, startTimeoutMs);

  it('works on a database and a Temporal that already run', async () => {
    const database = await createTestDatabase();
    try {
      const connected = await start({
        DATABASE_URL: database.appUrl,
        DATABASE_OWNER_URL: database.ownerUrl,
        TEMPORAL_ADDRESS: temporalAddress(),
        TEMPORAL_TASK_QUEUE: uniqueTaskQueue('start'),
      }).ready();
      expect((await fetch(`http://127.0.0.1:${env.PORT}/health/ready`)).status).toBe(200);
      await expect(serverPids()).rejects.toThrow('ENOENT');
      expect(await connected.interrupt()).toBe(0);
      expect(connected.output).not.toMatch(/^ +PostgreSQL$/m);
    } finally {
      await database.drop();
    }
  }, startTimeoutMs);
});
