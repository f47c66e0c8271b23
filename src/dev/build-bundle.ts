import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, type BundleOptions } from '@temporalio/worker';

/** What goes into the bundle; a worker that bundles at its start must use exactly the same. */
export const workflowBundleOptions: BundleOptions = {
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
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

if (import.meta.main) {
  const bundle = await buildWorkflowBundle(resolve(process.argv[2] ?? defaultBundlePath));
  process.stdout.write(`${bundle.path}: ${bundle.bytes} bytes\n`);
}
