import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { runCommand } from '../../../src/dev/processes.ts';

/** What the images of the Temporal server and of its tools hold, in one folder. */
export type TemporalServerTools = {
  /** The folder with `temporal-server` and `temporal-sql-tool`, to be put on the PATH. */
  readonly programs: string;
  /** Stands for `/etc/temporal`: has `schema/postgresql`. */
  readonly etc: string;
};

const goModule = 'go.temporal.io/server';
const buildTimeoutMs = 30 * 60_000;

/** Programs by the name that they have in the images, with the package that `go install` builds. */
const programs = { 'temporal-server': 'cmd/server', 'temporal-sql-tool': 'cmd/tools/sql' } as const;

function toolsIn(folder: string): TemporalServerTools {
  return { programs: join(folder, 'bin'), etc: join(folder, 'etc') };
}

function folderOf(version: string, cacheFolder: string): string {
  return join(cacheFolder, `temporal-server-${version}`);
}

/** The tools of a version when they have been built already. */
export async function builtTemporalServerTools(version: string, cacheFolder: string): Promise<TemporalServerTools | undefined> {
  const folder = folderOf(version, cacheFolder);
  return (await stat(folder).catch(() => null)) === null ? undefined : toolsIn(folder);
}

/**
 * Builds server and schema tool of a version with `go install` (once, about five minutes on two cores) and keeps them in the
 * cache folder, outside of the clone.
 *
 * @throws Error with what Go said
 */
export async function buildTemporalServerTools(version: string, cacheFolder: string): Promise<TemporalServerTools> {
  const built = await builtTemporalServerTools(version, cacheFolder);
  if (built !== undefined) return built;
  const staging = join(cacheFolder, `temporal-server-build-${process.pid}`);
  await mkdir(join(staging, 'bin'), { recursive: true });
  try {
    const module = `${goModule}@v${version}`;
    const { Dir: source } = JSON.parse(await go(['mod', 'download', '-json', module], staging)) as { Dir: string };
    const packages = Object.values(programs).map((path) => `${goModule}/${path}@v${version}`);
    await go(['install', ...packages], staging);
    for (const [name, path] of Object.entries(programs)) {
      await rename(join(staging, 'bin', path.slice(path.lastIndexOf('/') + 1)), join(staging, 'bin', name));
    }
    await copyFiles(join(source, 'schema', 'postgresql'), join(staging, 'etc', 'schema', 'postgresql'));
    // In one step, so that nobody sees half of it; a build that ended earlier stays.
    await rename(staging, folderOf(version, cacheFolder)).catch(async (error: unknown) => {
      if ((await builtTemporalServerTools(version, cacheFolder)) === undefined) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return toolsIn(folderOf(version, cacheFolder));
}

/** Runs Go outside of any module and returns what it printed. */
async function go(args: readonly string[], folder: string): Promise<string> {
  const env = { ...process.env, GOBIN: join(folder, 'bin') };
  const result = await runCommand('go', args, { timeoutMs: buildTimeoutMs, env, cwd: folder });
  if (!result.ok) throw new Error(`go ${args[0]} failed: ${result.stderr.trim().split('\n').slice(-5).join('\n')}`);
  return result.stdout;
}

/** Copies the files only: folders of Go's module cache cannot be written, nor could copies of them be removed. */
async function copyFiles(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, source));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
  }
}
