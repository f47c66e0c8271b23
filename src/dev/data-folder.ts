import { mkdir, open, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import { runningProcessOf, pidFileContent } from './processes.ts';
import { errorCode, StartupError } from './startup-error.ts';

/** The folder in which the embedded stack keeps everything, held by this process alone. */
export type DataFolder = {
  /** Absolute path. */
  readonly path: string;
  /** Path of a thing inside the folder. */
  in(...names: string[]): string;
  /** Releases the folder for another process. */
  release(): Promise<void>;
};

/** Folder of the embedded stack's data: `CASTELLAN_DATA`, else `.castellan` in the current folder. */
export function dataFolderPath(env: NodeJS.ProcessEnv): string {
  return resolve(env.CASTELLAN_DATA ?? '.castellan');
}

/** Folder of downloaded and built tools: `CASTELLAN_CACHE`, else `castellan` in the user's cache folder (XDG). */
export function cacheFolderPath(env: NodeJS.ProcessEnv): string {
  if (env.CASTELLAN_CACHE) return resolve(env.CASTELLAN_CACHE);
  return join(env.XDG_CACHE_HOME ? resolve(env.XDG_CACHE_HOME) : join(homedir(), '.cache'), 'castellan');
}

/**
 * Creates the folder when it is missing, checks that it can be written and takes it for this process.
 *
 * @throws StartupError when the folder cannot be written, or a running Castellan holds it
 */
export async function takeDataFolder(path: string): Promise<DataFolder> {
  const lockPath = join(path, 'castellan.pid');
  try {
    // Others may pass through (PostgreSQL runs as another account when we are root) but not look around.
    await mkdir(path, { recursive: true, mode: 0o711 });
    await mkdir(join(path, 'logs'), { recursive: true, mode: 0o700 });
    await takeLock(path, lockPath);
  } catch (error) {
    throw folderProblem(error, path);
  }
  return {
    path,
    in: (...names) => join(path, ...names),
    release: () => rm(lockPath, { force: true }),
  };
}

/** Writes our process id into the lock file; a lock of a process that is gone is removed first. */
async function takeLock(path: string, lockPath: string): Promise<void> {
  const owner = await runningProcessOf(lockPath);
  if (owner !== undefined) {
    throw new StartupError(
      `Another Castellan runs on this folder (pid ${owner}): stop it, or set CASTELLAN_DATA to another folder than ` +
        `${path}.`,
    );
  }
  await rm(lockPath, { force: true });
  const lock = await open(lockPath, 'wx', 0o600);
  try {
    await lock.writeFile(await pidFileContent(process.pid));
  } finally {
    await lock.close();
  }
}

function folderProblem(error: unknown, path: string): unknown {
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StartupError(
        `The data folder ${path} cannot be written: give this user the right to write there, or set CASTELLAN_DATA ` +
          'to a folder that can be written.',
        { cause: error },
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return new StartupError(
        `${path} is not a folder (or another Castellan has just taken it): move it, or set CASTELLAN_DATA to ` +
          'another folder.',
        { cause: error },
      );
    case 'ENOSPC':
      return new StartupError(`The disk of the data folder ${path} is full: free some space.`, { cause: error });
    default:
      return error;
  }
}
