import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../../src/api/server.ts';
import type { RunningApi } from '../../../src/api/server.ts';
import { samplePassword } from '../../../src/dev/sample-data.ts';
import { createLogger } from '../../../src/platform/observability/logger.ts';
import { callApi, startTestApi } from '../../support/api.ts';
import type { CallOptions, SignedIn, TestApi } from '../../support/api.ts';
import { eventually, soonMs } from '../../support/eventually.ts';
import { startCuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import type { CuttableProxy } from '../../support/servers/cuttable-proxy.ts';
import { temporalAddress } from '../../support/temporal/temporal.ts';

let app: TestApi;
let api: RunningApi;
let postgres: CuttableProxy;
let temporal: CuttableProxy;
let admin: SignedIn;

beforeAll(async () => {
  app = await startTestApi();
  const url = new URL(app.database.appUrl);
  postgres = await startCuttableProxy({ host: url.hostname, port: Number(url.port) });
  const [host, port] = temporalAddress().split(':') as [string, string];
  temporal = await startCuttableProxy({ host, port: Number(port) });
  url.port = String(postgres.port);
  api = await startApi(
    { ...app.env, DATABASE_URL: url.href, TEMPORAL_ADDRESS: `${temporal.host}:${temporal.port}` },
    createLogger({ level: 'silent', name: 'test' }),
  );
  admin = await app.signIn('role-super-admin');
});

afterEach(() => {
  postgres.mend();
  temporal.mend();
});

afterAll(async () => {
  await api.close();
  await Promise.all([postgres.close(), temporal.close()]);
  await app.close();
});

const call = (method: string, path: string, options?: CallOptions) => callApi(api.url, method, path, options);

async function timed<Result>(work: Promise<Result>): Promise<[Result, number]> {
  const started = performance.now();
  return [await work, performance.now() - started];
}

const until = (condition: () => Promise<boolean>) => eventually(condition, (isTrue) => isTrue);

describe('nothing is allowed while a dependency is away', () => {
  it('answers 503 with Retry-After at once without PostgreSQL, and comes back by itself', async () => {
    expect((await call('GET', '/users/me', { token: admin.token })).status).toBe(200);
    postgres.cut();
    const attempts = [
      call('GET', '/users/me', { token: admin.token }),
      call('GET', '/rbac/roles', { token: admin.token }),
      call('PUT', '/users/me/preferences', { token: admin.token, body: { theme: 'dark' }, headers: { 'if-match': '"1"' } }),
      call('POST', '/auth/login', { body: { email: admin.email, password: samplePassword } }),
      call('POST', '/auth/refresh', { body: { refresh_token: admin.refresh_token } }),
    ];
    for (const [answer, durationMs] of await Promise.all(attempts.map(timed))) {
      expect(answer.body).toMatchObject({ status: 503, code: 'service.unavailable' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      // Two seconds are the goal; five are what waiting for a connection would take.
      expect(durationMs).toBeLessThan(5_000);
      expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|127\.0\.0\.1|select|node_modules/i);
    }
    const readiness = await call('GET', '/health/ready');
    expect(readiness).toMatchObject({ status: 503, body: { checks: { database: 'down' } } });
    expect((await call('GET', '/health')).status).toBe(200);
    postgres.mend();
    await until(async () => (await call('GET', '/users/me', { token: admin.token })).status === 200);
  });

  it('reads without Temporal, and refuses what needs it without waiting for it', async () => {
    temporal.cut();
    const [read] = await timed(call('GET', '/rbac/roles', { token: admin.token }));
    expect(read.status).toBe(200);
    const started = timed(
      api.deps.temporal.call((client) => client.workflow.start('none', { taskQueue: 'none', workflowId: 'none', args: [] })),
    );
    const asked = performance.now();
    await expect(started).rejects.toMatchObject({ code: 'service.unavailable', status: 503, retryAfterSeconds: 5 });
    // Two seconds are the goal; ten is what a call may take that is not refused at once.
    expect(performance.now() - asked).toBeLessThan(8_000);
    const readiness = await call('GET', '/health/ready');
    expect(readiness).toMatchObject({ status: 200, body: { checks: { database: 'up', temporal: 'down' } } });
    temporal.mend();
    await until(async () => (await api.deps.temporal.namespaceProblem()) === undefined);
  });

  it('uses Temporal again within seconds of its return, however long it was away (T-51)', async () => {
    const isAnswered = () => api.deps.temporal.call((client) => client.workflowService.getSystemInfo({})).then(() => true, () => false);
    await eventually(isAnswered, (is) => is);
    temporal.cut();
    const untilMs = performance.now() + 17_000;
    while (performance.now() < untilMs) {
      expect(await isAnswered()).toBe(false);
      await setTimeout(200);
    }
    temporal.mend();
    await eventually(isAnswered, (is) => is, soonMs);
  });

  it('does not wait for a Temporal that takes requests and answers nothing', async () => {
    await until(async () => (await api.deps.temporal.namespaceProblem()) === undefined);
    temporal.hold();
    const asked = performance.now();
    const started = api.deps.temporal.call((client) =>
      client.workflow.start('none', { taskQueue: 'none', workflowId: 'none', args: [] }),
    );
    await expect(started).rejects.toMatchObject({ code: 'service.unavailable', status: 503 });
    expect(performance.now() - asked).toBeLessThan(8_000); // three seconds are the goal
    temporal.mend();
    await until(async () => (await api.deps.temporal.namespaceProblem()) === undefined);
  });
});
