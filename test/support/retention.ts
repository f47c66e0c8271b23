import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { asSuperuser } from './superuser.ts';
import type { HasDatabase } from './superuser.ts';
import type { TestDatabase } from './database.ts';

/** What a run of the retention has said, and how it ended. */
export interface RetentionRun {
  readonly code: number | null;
  readonly output: string;
}

/** A run of `npm run retention` as a process of its own. */
export interface RetentionProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<RetentionRun>;
}

/** Where a run reads and writes, and the keys that it trusts. */
export interface RetentionPlaces {
  readonly checkpoints: string;
  readonly archive: string;
  readonly publicKey: string;
  /** Instead of the login of the retention. */
  readonly url?: string;
}

/** Starts the command with nothing in its environment but what it needs. */
export function startRetention(
  database: Pick<TestDatabase, 'retentionUrl'>,
  { checkpoints, archive, publicKey, url }: RetentionPlaces,
  ...args: readonly string[]
): RetentionProcess {
  const child = spawn(process.execPath, ['src/dev/retention.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      LOG_LEVEL: 'silent',
      RETENTION_DATABASE_URL: url ?? database.retentionUrl,
      AUDIT_CHECKPOINT_DIR: checkpoints,
      AUDIT_ARCHIVE_DIR: archive,
      AUDIT_PUBLIC_KEY: publicKey,
    },
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output: said.join('') }));
  return { child, ended };
}

/** {@link startRetention} to its end. */
export function runRetention(...order: Parameters<typeof startRetention>): Promise<RetentionRun> {
  return startRetention(...order).ended;
}

/**
 * Lets the database's clock be `days` behind for what is appended meanwhile: entries cannot be made older afterwards,
 * because their time is hashed.
 */
export async function inThePast(app: HasDatabase, days: number, write: () => Promise<unknown>): Promise<void> {
  const [found] = await asSuperuser<{ source: string }>(
    app,
    "select pg_get_functiondef('audit_append(uuid, text[], text[], text)'::regprocedure) as source",
  );
  const source = found?.source ?? '';
  await asSuperuser(app, source.replaceAll('clock_timestamp()', `(clock_timestamp() - interval '${days} days')`));
  try {
    await write();
  } finally {
    await asSuperuser(app, source);
  }
}
