import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { housekeepingWorkflowType } from '../../../src/workflows/operations/housekeeping.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { recordedHistories } from '../../support/temporal/histories.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';
import { fromNow } from '../../support/factories/defaults.ts';
import { newIdempotencyKey } from '../../support/factories/idempotency.ts';
import { createTenant } from '../../support/factories/identity.ts';
import { insertRows } from '../../support/factories/row-insertion.ts';

let app: TestApi;
let worker: RunningWorker;

beforeAll(async () => {
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env);
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

describe('housekeeping', () => {
  it('deletes expired rows of every tenant, in batches, and no others', async () => {
    const { id: other } = await createTenant(app);
    for (const tenant_id of [defaultTenantId, other]) {
      const old = Array.from({ length: 700 }, () => newIdempotencyKey({ tenant_id, expires_at: fromNow(-60) }));
      await insertRows(app, 'idempotency_keys', [...old, newIdempotencyKey({ tenant_id, key: 'living' })]);
    }
    const { client, taskQueue } = app.api.deps.temporal;
    const run = async (name: string) => {
      const workflowId = `housekeeping-${name}-${taskQueue}`;
      const handle = await client.workflow.start(housekeepingWorkflowType, { taskQueue, workflowId, args: [] });
      const removed: unknown = await handle.result();
      await recordedHistories('housekeeping').record(name, await handle.fetchHistory());
      return removed;
    };
    expect(await run('batches')).toMatchObject({ idempotency_keys: 1400, refresh_tokens: 0 });
    expect(await run('nothing')).toMatchObject({ idempotency_keys: 0 });
    const kept = await asSuperuser<{ key: string }>(app, 'select key from idempotency_keys');
    expect(kept.map(({ key }) => key)).toEqual(['living', 'living']);
  });
});
