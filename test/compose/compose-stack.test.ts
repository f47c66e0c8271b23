import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { findTemporal } from '../../src/dev/temporal-finder.ts';
import { composeText, imageVersion, readComposeFile, serviceOf } from '../support/compose/compose-file.ts';
import { prepareComposeStack } from '../support/compose/compose-stack.ts';
import type { ComposeStack } from '../support/compose/compose-stack.ts';
import { builtTemporalServerTools } from '../support/compose/temporal-server-tools.ts';
import { eventually } from '../support/eventually.ts';
import { runState } from '../support/run-state.ts';
import { workflowBundlePath } from '../support/temporal/temporal.ts';

const version = imageVersion(serviceOf(readComposeFile(), 'temporal'));
// Not built here: five minutes of both cores would make tests beside it miss their deadlines.
const tools = await builtTemporalServerTools(version, runState().cache_folder);
if (tools === undefined) {
  process.stderr.write(
    `\nSKIPPED: the commands of docker-compose.yml are not tried, because the Temporal server ${version} has not been built ` +
      'yet. `npm run compose:tools` builds it with Go, once; then run this file again.\n',
  );
}
const withServer = tools === undefined ? describe.skip : describe;

const stepTimeoutMs = 240_000;
const dayInSeconds = 86_400;

/** In the order of the file's `depends_on`, except that the namespace comes last to see what is said without it. */
withServer('T-47: the commands of docker-compose.yml on the real Temporal server', () => {
  let stack: ComposeStack;
  let connection: Connection;

  beforeAll(async () => {
    const { cache_folder: cacheFolder } = runState();
    const found = await findTemporal({ env: { ...process.env, TEMPORAL_ADDRESS: undefined }, cacheFolder });
    if (found.kind === 'server') throw new Error('expected a program');
    if (tools === undefined) throw new Error('expected the tools');
    stack = await prepareComposeStack({
      tools,
      cli: found.path,
      workflowBundle: workflowBundlePath(),
    });
    connection = Connection.lazy({ address: stack.temporalAddress });
  }, stepTimeoutMs);

  afterAll(async () => {
    await connection?.close();
    await stack?.stop();
  }, stepTimeoutMs);

  async function readiness(url: string) {
    const answer = await fetch(new URL('/health/ready', url)).catch(() => null);
    return answer === null ? null : { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  /** Waits until a service says this of itself; when it does not, its log tells why. */
  async function says(service: 'api' | 'worker', expected: Record<string, unknown>): Promise<void> {
    const url = service === 'api' ? stack.apiUrl : stack.workerUrl;
    const isSaid = (found: unknown) => JSON.stringify(found).includes(JSON.stringify(expected['missing']));
    const found = await eventually(() => readiness(url), isSaid, 120_000).catch(async (error: unknown) => {
      throw new Error(`${service}: ${String(error)}\n${await stack.logOf(service)}`);
    });
    expect(found?.body).toEqual(expected);
  }

  const describeNamespace = (namespace: string) => connection.workflowService.describeNamespace({ namespace });

  it('temporal-schema makes both databases, and changes nothing when it runs again', async () => {
    await stack.runJob('temporal-schema');
    await stack.runJob('temporal-schema');
  }, stepTimeoutMs);

  it('temporal starts from its environment', async () => {
    await stack.start('temporal');
    const answers = () =>
      connection
        .withDeadline(Date.now() + 2_000, () => connection.workflowService.getSystemInfo({}))
        .then(({ serverVersion }) => serverVersion, () => null);
    const found = await eventually(answers, (one) => one !== null, 120_000).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await stack.logOf('temporal')}`);
    });
    expect(found).toBe(version);
  }, stepTimeoutMs);

  it('migrate brings the schema up, and changes nothing when it runs again', async () => {
    await stack.runJob('migrate');
    await stack.runJob('migrate');
  }, stepTimeoutMs);

  it('without its namespace, api and worker live and say that it is missing', async () => {
    await stack.start('api');
    await stack.start('worker');
    await says('api', {
      status: 'degraded',
      checks: { database: 'up', temporal: 'down', worker: 'unknown' },
      missing: ['namespace missing'],
    });
    await says('worker', {
      status: 'unready',
      checks: { temporal: 'down', polling: 'down', invalidation: 'up', schedules: 'down' },
      missing: ['namespace missing', 'schedules not reconciled yet'],
    });
  }, stepTimeoutMs);

  it('temporal-namespace makes the namespace of api and worker with its retention, and again has no effect', async () => {
    await stack.runJob('temporal-namespace');
    await stack.runJob('temporal-namespace');
    const days = Number(/--retention (\d+)d/.exec(composeText)?.[1]);
    const { config } = await describeNamespace(serviceOf(readComposeFile(), 'api').environment['TEMPORAL_NAMESPACE'] ?? '');
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(days * dayInSeconds);
    const missing = await describeNamespace('default').catch((error: unknown) => error);
    expect(isGrpcServiceError(missing) && missing.code).toBe(5); // NOT_FOUND
  }, stepTimeoutMs);

  it('the worker that has waited begins, and the api sees that it polls', async () => {
    await says('worker', {
      status: 'ready',
      checks: { temporal: 'up', polling: 'up', invalidation: 'up', schedules: 'up' },
      missing: [],
    });
    await says('api', { status: 'ready', checks: { database: 'up', temporal: 'up', worker: 'up' }, missing: [] });
  }, stepTimeoutMs);
});
