import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { KeyService } from '../../support/fakes/key-service.ts';
import { integrationDriver, restConfig } from '../../support/drivers/integration.ts';
import { callProven } from '../../support/second-factor.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { killProcess, startWorkerProcess } from '../../support/temporal/worker-process.ts';

/** A worker is killed (not stopped) while a sync and rotations are in the middle of a step. */
let service: KeyService;
let app: TestApi;
let worker: ChildProcess;
let drive: ReturnType<typeof integrationDriver>;

beforeAll(async () => {
  service = await KeyService.start();
  app = await startTestApi({ OUTBOUND_ALLOW: service.host, WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorkerProcess(app.env);
  drive = integrationDriver(app, await app.signIn('role-super-admin'));
});

afterAll(async () => {
  await killProcess(worker);
  await app.close();
  await service.stop();
});

describe('recovery of integrations', () => {
  it('another worker continues: no page is counted twice and no key is lost, whatever the step', async () => {
    service.items = Array.from({ length: 35 }, (_, index) => ({ id: index + 1 }));
    const synced = await drive.connected(service);
    // Each path is delayed for one integration only, so that each rotation is interrupted in a different step.
    const at = (path: string) => restConfig(service, { base_url: `${service.url}/${path}` });
    const [creating, proving, revoking] = [
      await drive.connected(service, at('a')),
      await drive.connected(service, at('b')),
      await drive.connected(service, at('c')),
    ];
    const holds = [service.hold(/^GET \/records.*cursor=20/), service.hold(/^POST \/a\/keys/, 'after')];
    holds.push(service.hold(/^DELETE \/c\/keys/, 'after'));
    const made = service.hold(/^POST \/b\/keys/, 'after');
    const [job, first, second, third] = (
      await Promise.all([
        drive.sync(synced.id),
        ...[creating, revoking, proving].map(({ id }) => drive.rotate(id, { grace_seconds: 0 })),
      ])
    ).map(({ body }) => body);
    await made.arrived;
    // The first probe has checked the old key; this one proves the new one.
    const proof = service.hold(/^GET \/b\/me/);
    made.release();
    await Promise.all([...holds.map(({ arrived }) => arrived), proof.arrived]);

    await killProcess(worker);
    expect(await drive.job(synced.id, job.id)).toMatchObject({ status: 'running', created_count: 20, page_count: 2 });
    for (const { release } of [...holds, proof]) release();
    worker = await startWorkerProcess(app.env);

    expect(await drive.ended(synced.id, job.id, 60_000)).toMatchObject({
      status: 'succeeded',
      created_count: 35,
      updated_count: 0,
      unchanged_count: 0,
      page_count: 4,
    });
    expect(service.count(/^GET \/records\?limit=10$/)).toBe(1);
    expect(service.count(/^GET \/records.*cursor=10/)).toBe(1);
    const ended = [
      await drive.rotated(creating.id, first.id, 'completed', 60_000),
      await drive.rotated(revoking.id, second.id, 'completed', 60_000),
      await drive.rotated(proving.id, third.id, 'completed', 60_000),
    ];
    // Four keys by hand and one for each rotation: the request repeated after the kill has created no other.
    expect(service.issued).toBe(7);
    expect(service.count(/^POST \/a\/keys/)).toBe(2);
    expect(service.activeKeys.sort()).toEqual([synced.key_id, ...ended.map(({ new_key_id }) => new_key_id)].sort());
    for (const [index, { id }] of [creating, revoking, proving].entries()) {
      expect(await drive.details(id)).toMatchObject({ key_id: ended[index].new_key_id });
    }
  });

  it('a rotation whose workflow was terminated continues from its recorded step', async () => {
    const { id, key_id } = await drive.connected(service);
    const begun = (await drive.rotate(id, { grace_seconds: 3_600 })).body;
    await drive.rotated(id, begun.id, 'switched');
    const { client } = app.api.deps.temporal;
    const workflowId = `rotation/00000000-0000-0000-0000-000000000000/${id}`;
    await client.workflow.getHandle(workflowId).terminate('lost');
    const sweep = { taskQueue: app.env.TEMPORAL_TASK_QUEUE, workflowId: `sweep-${id}`, args: [] };
    expect(await client.workflow.execute('integrationSweepWorkflow', sweep)).toMatchObject({ rotating: 1 });
    const description = await client.workflow.getHandle(workflowId).describe();
    expect(description.status.name).toBe('RUNNING');
    expect(await drive.rotation(id, begun.id)).toMatchObject({ status: 'switched' });
    expect(service.activeKeys).toContain(key_id);
    const admin = await app.signIn('role-super-admin');
    const reveal = await callProven(app, admin, 'POST', `/admin/integrations/${id}/reveal-secret`);
    expect(reveal.body.key_id).not.toBe(key_id);
  });
});
