import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { access, chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startManagedProcess } from '../../../src/dev/managed-process.ts';
import { freePort, loopback, whyNoAnswer } from '../../../src/dev/ports.ts';
import { runCommand } from '../../../src/dev/processes.ts';

const pom = fileURLToPath(new URL('../temporal-test-server/pom.xml', import.meta.url));
const fetchTimeoutMs = 5 * 60_000;
const startTimeoutMs = 60_000;

const mainClass = 'io.temporal.testserver.TestServer';
/** For a short life: no parallel collector, only the quick compiler. */
const javaFlags = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/**
 * Runs the server and ends it when the test process is gone: the SDK cannot do that once it has been killed itself.
 */
const wrapper = `#!/bin/sh
folder=$(cd "$(dirname "$0")" && pwd)
parent=$PPID
(
  while kill -0 "$parent" 2>/dev/null && kill -0 $$ 2>/dev/null; do sleep 1; done
  kill $$ 2>/dev/null
) >/dev/null 2>&1 &
exec java ${javaFlags.join(' ')} -XX:SharedArchiveFile="$folder/classes.jsa" -Xlog:disable -Xlog:all=error:stderr \\
  -cp "$folder/lib/*" ${mainClass} "$@"
`;

/** Where the server that Maven provides lies once it was fetched; another place for another version of its parts. */
export function mavenTestServerPath(cacheFolder: string): string {
  const parts = createHash('sha256').update(readFileSync(pom)).update(wrapper).digest('hex').slice(0, 12);
  return join(cacheFolder, `temporal-test-server-${parts}`, 'temporal-test-server');
}

/** Whether the Maven form of the server is already in the cache. */
export async function hasMavenTestServer(cacheFolder: string): Promise<boolean> {
  return access(mavenTestServerPath(cacheFolder)).then(() => true, () => false);
}

/**
 * Fetches the official Java test server from Maven into the cache. Several processes may do this at once: each
 * fetches into a folder of its own, the first to finish moves it into place.
 *
 * @throws Error that says what is missing when Java or Maven cannot be run or the packages cannot be had
 */
export async function fetchMavenTestServer(cacheFolder: string): Promise<string> {
  const java = await runCommand('java', ['-version'], { timeoutMs: 20_000 });
  if (!java.ok) throw new Error('Java is missing: install a Java runtime of version 11 or later');
  const target = mavenTestServerPath(cacheFolder);
  const making = join(cacheFolder, `temporal-test-server-making-${process.pid}`);
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  try {
    const fetched = await runCommand(
      'mvn',
      ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${making}/lib`],
      { timeoutMs: fetchTimeoutMs },
    );
    if (!fetched.ok) throw new Error(`Maven could not fetch it: ${fetched.stderr.trim().split('\n', 1)[0]}`);
    const script = join(making, 'temporal-test-server');
    await writeFile(script, wrapper);
    await chmod(script, 0o755);
    await rename(making, dirname(target)).catch(async (error: unknown) => {
      if (!(await hasMavenTestServer(cacheFolder))) throw error;
    });
    await archiveClasses(dirname(target)); // at its final place: Java takes the archive for the same paths only
    return target;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/**
 * Runs the server once so that Java keeps its loaded classes in a file, which takes two thirds off every later start:
 * the SDK waits five seconds for it and no longer. Where this Java cannot do that (before 13), it starts without.
 */
async function archiveClasses(folder: string): Promise<void> {
  const port = await freePort();
  const making = join(folder, `classes-${process.pid}.jsa`);
  const server = await startManagedProcess({
    command: 'java',
    args: [
      ...javaFlags, `-XX:ArchiveClassesAtExit=${making}`,
      '-cp', join(folder, 'lib', '*'), mainClass, String(port), '--enable-time-skipping',
    ],
    logFile: join(folder, 'classes.log'),
    stopSignal: 'SIGTERM',
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!server.hasEnded() && Date.now() < deadline && (await whyNoAnswer(loopback, port, 1_000)) !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await server.stop(startTimeoutMs);
  await rename(making, join(folder, 'classes.jsa')).catch(() => undefined);
}
