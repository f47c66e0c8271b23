/**
 * A small program: lets the Temporal SDK download the dev server into a folder and prints the path of the executable.
 *
 * Usage: `node temporal-download.ts <folder>`. A process of its own, because the SDK's download starts its native
 * runtime with default options, which the worker of the same process could not change any more.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { startupMessage } from './startup-error.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: temporal-download.ts <folder>');

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
try {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir: folder } },
  });
  await environment.teardown();
  const executable = (await readdir(folder)).find((name) => name.startsWith('temporal'));
  if (executable === undefined) throw new Error(`the download left no executable in ${folder}`);
  process.stdout.write(`${join(folder, executable)}\n`);
} catch (error) {
  // The SDK repeats the address in every layer of its message; the last part is the reason.
  process.stderr.write(`${startupMessage(error).split('): ').at(-1)}\n`);
  process.exitCode = 1;
}
