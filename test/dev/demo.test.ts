import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/dev/processes.ts';
import { createLogger } from '../../src/platform/observability/logger.ts';
import { startWorker } from '../../src/worker.ts';
import type { RunningWorker } from '../../src/worker.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { configDriver } from '../support/drivers/config.ts';
import { startOwnTemporal } from '../support/temporal/own-temporal.ts';
import type { OwnTemporal } from '../support/temporal/own-temporal.ts';
import { freePort } from '../../src/dev/ports.ts';
import { workflowBundlePath } from '../support/temporal/temporal.ts';

const demoPath = fileURLToPath(new URL('../../src/dev/demo.ts', import.meta.url));
/** It waits for codes of the authenticator app, thirty seconds each. */
const demoTimeoutMs = 180_000;

let temporal: OwnTemporal;
let app: TestApi;
let worker: RunningWorker;
let companyPort: number;

beforeAll(async () => {
  companyPort = await freePort();
  temporal = await startOwnTemporal();
  app = await startTestApi({ TEMPORAL_ADDRESS: temporal.address, OUTBOUND_ALLOW: `127.0.0.1:${companyPort}` });
  worker = await startWorker(
    { ...app.env, WORKFLOW_BUNDLE: workflowBundlePath() },
    createLogger({ level: 'silent', name: 'test' }),
  );
  // On a stack that has a configuration the demonstration waits for one code less.
  const drive = configDriver(app, await app.signIn('role-provider-admin'));
  const { id } = await drive.started({ environment: 'development', document: { checkout: { retries: 3 } }, schema: { type: 'object' } });
  await drive.settled(id, 'succeeded');
});

afterAll(async () => {
  await worker.close();
  await app.close();
  await temporal.stop();
});

function runDemo(url: string) {
  const env = { PATH: process.env.PATH, CASTELLAN_URL: url, CASTELLAN_DEMO_PORT: String(companyPort) };
  return runCommand(process.execPath, [demoPath], { timeoutMs: demoTimeoutMs, env });
}

it('walks from sign-in to an audited production change, a CPF that is revealed and erased, a rollout that is taken back and an exchanged key', async () => {
  const { ok, stdout, stderr } = await runDemo(app.url);
  expect({ ok, stderr }).toEqual({ ok: true, stderr: '' });
  expect(stdout).toMatch(/asks to switch it on, with a second factor[\s\S]*\/namespaces\/default\/workflows\/approval%2F/);
  expect(stdout).toMatch(/The workflow has made the change[\s\S]*reads the flag by OFREP[\s\S]*value +true/);
  expect(stdout).toMatch(/CPF masked[\s\S]*CPF +\*{3}\.\d{3}\.\d{3}-\*{2}[\s\S]*for one answer[\s\S]*CPF +\d{3}\.\d{3}\.\d{3}-\d{2}\n +reason/);
  expect(stdout).toMatch(/asks to be erased[\s\S]*The workflow has made the change[\s\S]*nothing is left but the id[\s\S]*CPF +none/);
  expect(stdout).toMatch(/watched by a guard[\s\S]*gives everybody the version before[\s\S]*rollout +restored[\s\S]*runs +version 1/);
  expect(stdout).toMatch(/exchanged the key[\s\S]*old key +key_[0-9a-f]+, answered with 401/);
  expect(stdout).toMatch(/verifies offline[\s\S]*result +valid/);
}, demoTimeoutMs);

it('says how to start when nothing answers', async () => {
  const { ok, stderr } = await runDemo('http://127.0.0.1:9');
  expect(ok).toBe(false);
  expect(stderr).toContain('npm start');
});
