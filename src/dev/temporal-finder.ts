import { access, chmod, constants, mkdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { whyNoAnswer } from './ports.ts';
import { runCommand } from './processes.ts';
import { StartupError } from './startup-error.ts';

/** Where Temporal comes from: a server that already runs, or a program that can start one. */
export type TemporalSource =
  | { kind: 'server'; address: string }
  | { kind: 'executable'; path: string; origin: 'path' | 'cache' | 'download' | 'go' };

/** How to look; the optional parts exist so that every branch can be driven in a test. */
export type FindTemporalOptions = {
  env: NodeJS.ProcessEnv;
  /** Downloaded and built programs go to `<cacheFolder>/bin`. */
  cacheFolder: string;
  /** Called with one plain line whenever the search goes on to something else. */
  progress?: (step: string) => void;
  /** Ends a download or build that is under way. */
  signal?: AbortSignal;
  /** The program that downloads the dev server into a folder and prints its path. */
  downloadProgram?: string;
};

/** Version of the Temporal CLI that `go install` builds (with server 1.29.1 and Temporal Web). */
const goPackage = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
const connectTimeoutMs = 5_000;
const probeTimeoutMs = 20_000;
const downloadTimeoutMs = 5 * 60_000;
const buildTimeoutMs = 30 * 60_000;

/**
 * Finds Temporal in the order: `TEMPORAL_ADDRESS` → `temporal` on the PATH → the project's cache → download by the
 * Temporal SDK → built by `go install` where Go exists. A found program is tried before it is taken.
 *
 * @throws StartupError when `TEMPORAL_ADDRESS` does not answer, or nothing was found and there is no way to get it
 */
export async function findTemporal(options: FindTemporalOptions): Promise<TemporalSource> {
  const address = options.env.TEMPORAL_ADDRESS;
  if (address !== undefined && address !== '') return { kind: 'server', address: await assertAnswers(address) };

  const progress = options.progress ?? (() => undefined);
  const name = process.platform === 'win32' ? 'temporal.exe' : 'temporal';
  const cached = join(options.cacheFolder, 'bin', name);

  for (const folder of (options.env.PATH ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const path = join(folder, name);
    if (await isDevServer(path)) return { kind: 'executable', path, origin: 'path' };
  }
  if (await isDevServer(cached)) return { kind: 'executable', path: cached, origin: 'cache' };

  await mkdir(join(options.cacheFolder, 'bin'), { recursive: true });
  progress('downloading the Temporal dev server (about 60 MB)');
  const download = await timed(() => downloadInto(cached, options));
  if (download.ok) return { kind: 'executable', path: cached, origin: 'download' };
  progress(`no download after ${download.seconds} s (${download.reason})`);

  const go = await runCommand('go', ['version'], { timeoutMs: probeTimeoutMs, env: options.env });
  if (go.ok) {
    progress('building the Temporal dev server with Go (once, about 4 minutes)');
    const build = await timed(() => buildInto(cached, options));
    if (build.ok) return { kind: 'executable', path: cached, origin: 'go' };
    progress(`the build failed after ${build.seconds} s (${build.reason})`);
    throw nothingFound(`no download (${download.reason}), and go install failed (${build.reason})`);
  }
  throw nothingFound(`no "temporal" on the PATH, no download (${download.reason}), and no Go to build it with`);
}

/** The outcome of one way to get the program. */
type Attempt = { ok: true } | { ok: false; reason: string };

async function timed(attempt: () => Promise<Attempt>): Promise<Attempt & { seconds: string }> {
  const start = performance.now();
  const outcome = await attempt();
  return { ...outcome, seconds: ((performance.now() - start) / 1_000).toFixed(1) };
}

/** Another program may be called `temporal`, and a broken download may lie in the cache: only running the subcommand shows it. */
async function isDevServer(path: string): Promise<boolean> {
  const isExecutable = await access(path, constants.X_OK).then(() => true, () => false);
  if (!isExecutable) return false;
  const help = await runCommand(path, ['server', 'start-dev', '--help'], { timeoutMs: probeTimeoutMs });
  return help.ok && help.stdout.includes('--db-filename');
}

async function downloadInto(target: string, options: FindTemporalOptions): Promise<Attempt> {
  const program = options.downloadProgram ?? fileURLToPath(new URL('./temporal-download.ts', import.meta.url));
  const folder = join(options.cacheFolder, `download-${process.pid}`);
  const result = await runCommand(process.execPath, [program, folder], {
    timeoutMs: downloadTimeoutMs,
    env: options.env,
    signal: options.signal,
  });
  try {
    return result.ok ? await adopt(result.stdout.trim(), target) : { ok: false, reason: reasonOf(result.stderr) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildInto(target: string, options: FindTemporalOptions): Promise<Attempt> {
  const folder = join(options.cacheFolder, `build-${process.pid}`);
  await mkdir(folder, { recursive: true });
  const result = await runCommand('go', ['install', goPackage], {
    timeoutMs: buildTimeoutMs,
    env: { ...options.env, GOBIN: folder },
    cwd: folder, // not inside a Go module
    signal: options.signal,
  });
  try {
    const built = join(folder, process.platform === 'win32' ? 'temporal.exe' : 'temporal');
    return result.ok ? await adopt(built, target) : { ok: false, reason: reasonOf(result.stderr) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Moves a new program into the cache once it has shown that it runs; in one step, so that no process sees half of it. */
async function adopt(path: string, target: string): Promise<Attempt> {
  await chmod(path, 0o755);
  if (!(await isDevServer(path))) return { ok: false, reason: 'the program does not run here' };
  await rename(path, target);
  return { ok: true };
}

/** @throws StartupError when nothing accepts connections at the address */
async function assertAnswers(address: string): Promise<string> {
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator).replace(/^\[(.*)\]$/, '$1');
  const port = Number(address.slice(separator + 1));
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartupError(`TEMPORAL_ADDRESS must be host:port, e.g. 127.0.0.1:7233; it is "${address}".`);
  }
  const reason = await whyNoAnswer(host, port, connectTimeoutMs);
  if (reason === undefined) return address;
  throw new StartupError(
    `Temporal does not answer at TEMPORAL_ADDRESS=${address} (${reason}): start it, correct the address, or unset ` +
      'TEMPORAL_ADDRESS to use the embedded dev server.',
  );
}

function nothingFound(reason: string): StartupError {
  return new StartupError(
    `Temporal's dev server is missing: ${reason}. Either install the Temporal CLI so that "temporal" is on the PATH ` +
      '(https://docs.temporal.io/cli), install Go and start again, or set TEMPORAL_ADDRESS to a running server.',
  );
}

/** The last line of an error output: the reason stands there, above it are the steps. */
function reasonOf(stderr: string): string {
  return stderr.trim().split('\n').at(-1)?.trim().replace(/\.$/, '') ?? 'unknown';
}
