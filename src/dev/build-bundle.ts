import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, type BundleOptions } from '@temporalio/worker';

import { runCommand } from './processes.ts';

const buildTimeoutMs = 120_000;

/** What goes into the bundle; a worker that bundles at its start must use exactly the same. */
export const workflowBundleOptions: BundleOptions = {
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  workflowInterceptorModules: [fileURLToPath(new URL('../workflows/interceptors.ts', import.meta.url))],
};

/** Where `npm run build` puts the bundle and the container image expects it. */
export const defaultBundlePath = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));

/**
 * Bundles the workflow code once, so that workers start without doing it (saves 1–2 s a start).
 *
 * @returns the path it was written to and its size, which the budget watches
 */
export async function buildWorkflowBundle(target: string): Promise<{ path: string; bytes: number }> {
  const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
  const { code } = await bundleWorkflowCode({ logger: silent, ...workflowBundleOptions });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
  return { path: target, bytes: Buffer.byteLength(code) };
}

/**
 * The same in a process of its own: the bundler needs 200 MB that this process would never give back, and its core.
 *
 * @throws Error with the bundler's message when the workflow code cannot be bundled
 */
export async function buildWorkflowBundleApart(target: string, signal?: AbortSignal): Promise<string> {
  const result = await runCommand(process.execPath, [fileURLToPath(import.meta.url), target], {
    timeoutMs: buildTimeoutMs,
    signal,
  });
  if (!result.ok) throw new Error(`The workflow code could not be bundled: ${result.stderr.trim()}`);
  return target;
}

if (import.meta.main) {
  const bundle = await buildWorkflowBundle(resolve(process.argv[2] ?? defaultBundlePath));
  process.stdout.write(`${bundle.path}: ${bundle.bytes} bytes\n`);
}
