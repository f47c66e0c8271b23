import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/dev/processes.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { startWorker } from '../../src/worker.ts';
import type { RunningWorker } from '../../src/worker.ts';
import { startTestApi } from '../support/api.ts';
import type { TestApi } from '../support/api.ts';
import { workflowBundlePath } from '../support/temporal.ts';

const demoPath = fileURLToPath(new URL('../../src/dev/demo.ts', import.meta.url));
const demoTimeoutMs = 90_000;

let app: TestApi;
let worker: RunningWorker;

beforeAll(async () => {
  app = await startTestApi();
  worker = await startWorker(
    { ...app.env, WORKFLOW_BUNDLE: workflowBundlePath() },
    createLogger({ level: 'silent', name: 'test' }),
  );
});

afterAll(async () => {
  await worker.close();
  await app.close();
});

function runDemo(url: string) {
  return runCommand(process.execPath, [demoPath], { timeoutMs: demoTimeoutMs, env: { PATH: process.env.PATH, CASTELLAN_URL: url } });
}

it('walks from sign-in over two second factors to an audited production change', async () => {
  const { ok, stdout, stderr } = await runDemo(app.url);
  expect({ ok, stderr }).toEqual({ ok: true, stderr: '' });
  expect(stdout).toMatch(/asks to switch it on, with a second factor[\s\S]*\/namespaces\/default\/workflows\/approval%2F/);
  expect(stdout).toMatch(/The workflow has made the change[\s\S]*reads the flag by OFREP[\s\S]*value +true/);
  expect(stdout).toMatch(/verifies offline[\s\S]*result +valid/);
}, demoTimeoutMs);

it('says how to start when nothing answers', async () => {
  const { ok, stderr } = await runDemo('http://127.0.0.1:9');
  expect(ok).toBe(false);
  expect(stderr).toContain('npm start');
});
