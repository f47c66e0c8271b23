import type { ChildProcess } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { modulePermissionDriver } from '../../support/drivers/module-permission.ts';
import type { Granted } from '../../support/drivers/module-permission.ts';
import { eventually } from '../../support/eventually.ts';
import { day } from '../../support/factories/defaults.ts';
import { secondTenant } from '../../support/people.ts';
import type { Member } from '../../support/people.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

/** Real processes: the worker is one of its own, so that it can be killed. Its schedule may sweep as well. */
let app: TestApi;
let admin: Member;
let worker: ChildProcess;
let driver: ReturnType<typeof modulePermissionDriver>;

beforeAll(async () => {
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  ({ admin } = await secondTenant(app));
  driver = modulePermissionDriver(app, admin);
  worker = await startWorkerProcess(app.env);
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
});

/** Waits for so many deliveries, and makes sure that it stays at them after another sweep. */
async function toldInAll(permission: Granted, count: number): Promise<string[]> {
  await eventually(() => driver.told(permission), ({ length }) => length >= count, 60_000);
  await driver.sweep();
  return (await driver.told(permission)).map(({ news }) => news);
}

describe('S4-25: the end of a module permission, with the worker away', () => {
  it('is judged all the time, and told as one afterwards: what has expired meanwhile gets no notice any more', async () => {
    await killProcess(worker);
    const [near, past] = [await driver.granted(2), await driver.granted(2)];
    await driver.endAt(past, -1);
    const waiting = await driver.startSweep();
    expect((await app.call('GET', past.path, { token: admin.token })).body).toMatchObject({ is_expired: true });
    expect(await driver.changes(past)).toEqual(['grant']);
    worker = await startWorkerProcess(app.env);
    await waiting.result();
    expect(await toldInAll(past, 1)).toEqual(['expired']);
    expect(await toldInAll(near, 2)).toEqual(['expiring', 'expiring']);
    expect(await driver.changes(past)).toEqual(['grant', 'expire']);
  });

  it('is told and recorded once when the worker is killed while it sweeps', async () => {
    const permissions: Granted[] = [];
    for (let n = 0; n < 24; n += 1) permissions.push(await driver.granted(10));
    for (const [n, permission] of permissions.entries()) await driver.endAt(permission, n % 2 === 0 ? -1 : day);
    for (const pauseMs of [150, 400, 900]) {
      await driver.startSweep();
      await setTimeout(pauseMs);
      await killProcess(worker);
      worker = await startWorkerProcess(app.env);
    }
    for (const [n, permission] of permissions.entries()) {
      expect(await toldInAll(permission, n % 2 === 0 ? 1 : 2)).toEqual(n % 2 === 0 ? ['expired'] : ['expiring', 'expiring']);
      expect(await driver.changes(permission)).toEqual(n % 2 === 0 ? ['grant', 'expire'] : ['grant']);
    }
  }, 180_000);
});
