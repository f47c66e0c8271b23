import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { startTracing } from '../../../src/platform/observability/tracing.ts';
import { startWorker } from '../../../src/worker.ts';
import type { RunningWorker } from '../../../src/worker.ts';
import { startTestApi } from '../../support/api.ts';
import type { SignedIn, TestApi } from '../../support/api.ts';
import { asSuperuser } from '../../support/superuser.ts';
import { approvalDriver } from '../../support/drivers/approval.ts';
import { eventually } from '../../support/eventually.ts';
import { callProven } from '../../support/second-factor.ts';
import { quietTemporal, workflowBundlePath } from '../../support/temporal/temporal.ts';

const exporter = new InMemorySpanExporter();
let app: TestApi;
let worker: RunningWorker;
let admin: SignedIn;

beforeAll(async () => {
  // Once for the process and before API and worker, whose own calls then return the same.
  startTracing({ TRACE_SAMPLE_RATIO: 0, OTEL_EXPORTER_OTLP_ENDPOINT: undefined }, 'test', new SimpleSpanProcessor(exporter));
  await quietTemporal();
  app = await startTestApi({ WORKFLOW_BUNDLE: workflowBundlePath() });
  worker = await startWorker(app.env, app.api.deps.log);
  admin = await app.signIn('role-super-admin');
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

let flags = 0;

/** Requests that a production flag is switched, which starts an approval workflow whose activity writes the row. */
async function openApproval(traceparent: string | null): Promise<string> {
  const key = `traced-${(flags += 1)}`;
  await approvalDriver(app, admin).productionFlag(key);
  const answer = await callProven(app, admin, 'POST', `/admin/feature-flags/${key}/toggle`, {
    body: { environment: 'production', enabled: true, version: 1, reason: 'to be traced' },
    headers: traceparent === null ? {} : { traceparent },
  });
  expect(answer).toMatchObject({ status: 202 });
  return answer.body.id;
}

describe('one trace from the request to the row', () => {
  it('propagates a sampled traceparent through client, workflow and activity to the audit entry', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const id = await openApproval(`00-${traceId}-b7ad6b7169203331-01`);
    const names = async () => exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId).map(({ name }) => name);
    for (const wanted of [
      /^POST \/admin\/feature-flags\/:key\/toggle$/,
      /^UpdateWithStartWorkflow|^UpdateWithStart/,
      /^HandleUpdate:open|^RunWorkflow:approvalWorkflow/,
      /^StartActivity:openApproval/,
      /^RunActivity:openApproval/,
    ]) {
      await eventually(names, (seen) => seen.some((name) => wanted.test(name)));
    }
    const rows = await asSuperuser<{ trace_id: string }>(
      app,
      "select trace_id from audit_logs where resource_id = $1 and resource_type = 'approval' order by seq limit 1",
      [id],
    );
    expect(rows).toEqual([{ trace_id: traceId }]);
  });

  it('starts a trace for a request without a traceparent and records no span of it', async () => {
    exporter.reset();
    const id = await openApproval(null);
    const rows = await asSuperuser<{ trace_id: string }>(
      app,
      'select trace_id from audit_logs where resource_id = $1 order by seq limit 1',
      [id],
    );
    expect(rows[0]!.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(exporter.getFinishedSpans().filter(({ name }) => /^(POST|GET|HTTP)/.test(name))).toEqual([]);
  });

  it('ignores an invalid traceparent', async () => {
    const answer = await app.call('GET', '/users/me', { token: admin.token, headers: { traceparent: '00-zz-1-01; drop table' } });
    expect(answer.status).toBe(200);
  });
});
