import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { housekeepingWorkflowType } from '../../../src/workflows/operations/housekeeping.contract.ts';
import { startTestApi } from '../../support/api.ts';
import type { TestApi } from '../../support/api.ts';
import { replayAndKeep } from '../../support/temporal/kept-histories.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { workflowBundlePath } from '../../support/temporal/temporal.ts';

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
  it('removes what has run out in every tenant, in batches, and nothing that lives', async () => {
    const other = '11111111-1111-4111-8111-111111111111';
    await asSuperuser(app, "insert into tenants (id, name, domain) values ($1, 'Other', 'other.example')", [other]);
    for (const tenant of [defaultTenantId, other]) {
      await asSuperuser(
        app,
        `insert into idempotency_keys (tenant_id, principal, key, fingerprint, expires_at)
         select $1::uuid, 'someone', 'old-' || n, '\\x00'::bytea, now() - interval '1 minute' from generate_series(1, 700) n
         union all select $1::uuid, 'someone', 'living', '\\x00', now() + interval '1 hour'`,
        [tenant],
      );
    }
    const { client, taskQueue } = app.api.deps.temporal;
    const run = async (name: string) => {
      const workflowId = `housekeeping-${name}-${taskQueue}`;
      const handle = await client.workflow.start(housekeepingWorkflowType, { taskQueue, workflowId, args: [] });
      const removed: unknown = await handle.result();
      await replayAndKeep('housekeeping', name, await handle.fetchHistory());
      return removed;
    };
    expect(await run('batches')).toMatchObject({ idempotency_keys: 1400, refresh_tokens: 0 });
    expect(await run('nothing')).toMatchObject({ idempotency_keys: 0 });
    const kept = await asSuperuser<{ key: string }>(app, 'select key from idempotency_keys');
    expect(kept.map(({ key }) => key)).toEqual(['living', 'living']);
  });
});
