import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type BundleOptions, bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

import { runCommand } from './processes.ts';
import { errorMessage } from './startup-error.ts';

const buildTimeoutMs = 120_000;

/** What goes into the bundle; a worker that bundles at its start must use exactly the same. */
export const workflowBundleOptions: BundleOptions = {
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  workflowInterceptorModules: [fileURLToPath(new URL('../workflows/shared/interceptors.ts', import.meta.url))],
};

/** Where `npm run build` writes the bundle and the container image expects it. */
export const defaultBundlePath = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));

/**
 * Bundles the workflow code once, so that workers start without doing it (saves 1–2 s a start).
 *
 * @returns the path it was written to and its size, which the budget watches
 * @throws Error with what the bundler found wrong in which file
 */
export async function buildWorkflowBundle(target: string): Promise<{ path: string; bytes: number }> {
  // The bundler reports errors in its log only; its other output is dropped.
  const errors: string[] = [];
  const logger = new DefaultLogger('ERROR', ({ message }) => errors.push(message));
  const { code } = await bundleWorkflowCode({ logger, ...workflowBundleOptions }).catch((error: unknown) => {
    const report = errors.join('\n');
    const reason = report.slice(Math.max(0, report.indexOf('ERROR in'))); // the lines above it are of successful steps
    throw new Error(`The workflow code cannot be bundled: ${reason}`, { cause: error });
  });
  const bundle = withoutSources(code);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, bundle);
  return { path: target, bytes: Buffer.byteLength(bundle) };
}

const sourceMapMark = '//# sourceMappingURL=data:application/json;charset=utf-8;base64,';

/**
 * Takes the texts of the sources out of the inline source map, nearly half of the file. Names, files and lines stay, which
 * is what stack traces are made of; the worker needs the map itself to be inline.
 */
function withoutSources(code: string): string {
  const start = code.lastIndexOf(sourceMapMark);
  if (start === -1) throw new Error('The workflow bundle has no inline source map.');
  const map: unknown = JSON.parse(Buffer.from(code.slice(start + sourceMapMark.length), 'base64').toString());
  const json = JSON.stringify(map, (key, value: unknown) => (key === 'sourcesContent' ? undefined : value));
  return `${code.slice(0, start)}${sourceMapMark}${Buffer.from(json).toString('base64')}`;
}

/**
 * The same in a process of its own: the bundler needs 200 MB that this process would not release, and a core.
 *
 * @throws Error with the bundler's message when the workflow code cannot be bundled
 */
export async function buildWorkflowBundleApart(target: string, signal?: AbortSignal): Promise<string> {
  const result = await runCommand(process.execPath, [fileURLToPath(import.meta.url), target], {
    timeoutMs: buildTimeoutMs,
    signal,
  });
  if (!result.ok) throw new Error(result.stderr.trim());
  return target;
}

if (import.meta.main) {
  try {
    const bundle = await buildWorkflowBundle(resolve(process.argv[2] ?? defaultBundlePath));
    process.stdout.write(`${bundle.path}: ${bundle.bytes} bytes\n`);
  } catch (error) {
    process.stderr.write(`${errorMessage(error)}\n`);
    process.exitCode = 1;
  }
}
