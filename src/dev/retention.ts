import { parseArgs } from 'node:util';
import type { Client } from 'pg';
import { connectClient, createReadPool } from '../platform/database/connections.ts';
import { EnvError } from '../platform/env.ts';
import { createLogger } from '../platform/observability/logger.ts';
import { loadRetentionEnv } from '../platform/retention-env.ts';
import type { RetentionEnv } from '../platform/retention-env.ts';
import { dropDueSegments } from '../services/audit/audit-retention.service.ts';
import { parseVerifier } from '../services/audit/signed-note.ts';
import { errorCode, startupMessage } from './startup-error.ts';

const usage = `npm run retention [-- --keep-days DAYS]

Archives and drops the audit entries that are old enough, once, and ends. Run it every day (docs/audit.md).

  --keep-days   first sets how long entries are kept, for good; at least 30

Exit code: 0 done, or another run is at work; 1 something that is due could not be dropped; 2 it could not begin.`;

const applicationName = 'castellan-retention';
/** SQL states: a lock that another run holds, a value that a constraint refuses. */
const [lockHeld, refusedByCheck] = ['55P03', '23514'];

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** @throws Error for a role that may do more than the retention, or less. */
async function assertRetentionRole(client: Client): Promise<void> {
  const { rows } = await client.query<{ role: string; retains: boolean; more: boolean }>(`
    select r.rolname as role,
      pg_catalog.pg_has_role(r.oid, 'castellan_retention', 'usage') as retains,
      r.rolsuper or r.rolbypassrls or pg_catalog.pg_has_role(r.oid, 'castellan_app', 'member')
        or exists (select from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
          and pg_catalog.pg_has_role(r.oid, c.relowner, 'member')) as more
    from pg_catalog.pg_roles r where r.rolname = current_user`);
  const [found] = rows;
  if (found?.retains === true && !found.more) return;
  throw new Error(
    `RETENTION_DATABASE_URL: the database role "${found?.role ?? '?'}" must be a member of castellan_retention and of nothing else.`,
  );
}

/**
 * Keeps other runs away until its connection ends: the row can be locked only by who may change it, which the application
 * may not.
 *
 * @returns whether it could be locked.
 */
async function lockSettings(client: Client): Promise<boolean> {
  try {
    await client.query('begin');
    await client.query('select from audit_retention_settings for update nowait');
    return true;
  } catch (error) {
    if (errorCode(error) !== lockHeld) throw error;
    return false;
  }
}

async function setKeepDays(client: Client, days: string): Promise<void> {
  try {
    await client.query('update audit_retention_settings set keep_days = $1', [Number(days)]);
    await client.query('commit');
  } catch (error) {
    if (errorCode(error) === refusedByCheck) throw new Error('Entries are kept for 30 days at least.', { cause: error });
    throw error;
  }
  print(`Entries are kept for ${days} days from now on.`);
}

async function run(env: RetentionEnv, keepDays: string | undefined, signal: AbortSignal): Promise<number> {
  const verifierKeys = env.AUDIT_PUBLIC_KEY.map((text) => parseVerifier(text).key);
  const url = env.RETENTION_DATABASE_URL;
  const client = await connectClient(url, applicationName);
  const lost = new AbortController();
  client.on('error', () => lost.abort(new Error('The connection that keeps other runs away was lost.')));
  const readPool = createReadPool(url, applicationName);
  try {
    await assertRetentionRole(client);
    const isAlone = await lockSettings(client);
    if (!isAlone) {
      print('Another run is at work; nothing was done.');
      return 0;
    }
    if (keepDays !== undefined) {
      await setKeepDays(client, keepDays);
      if (!(await lockSettings(client))) return 0;
    }
    const { dropped, failed } = await dropDueSegments(
      {
        db: { readPool },
        url,
        log: createLogger({ level: env.LOG_LEVEL, name: 'retention' }),
        folder: env.AUDIT_ARCHIVE_DIR,
        places: env,
        verifiers: (origin) => verifierKeys.map((key) => ({ origin, key })),
      },
      AbortSignal.any([signal, lost.signal]),
    );
    print(`Segments archived and dropped: ${dropped}.`);
    for (const { chain_id, reason } of failed) print(`Not dropped: chain ${chain_id}: ${reason}`);
    return failed.length === 0 ? 0 : 1;
  } finally {
    await Promise.allSettled([readPool.end(), client.end()]);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'keep-days': { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  const keepDays = values['keep-days'];
  if (values.help || (keepDays !== undefined && !/^\d{1,6}$/.test(keepDays))) {
    print(usage);
    return values.help ? 0 : 2;
  }
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => stop.abort(new Error(`Stopped by ${name}; the next run goes on.`)));
  }
  return run(loadRetentionEnv(process.env), keepDays, stop.signal);
}

if (import.meta.main) {
  main().then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof EnvError ? error.message : startupMessage(error)}\n`);
      process.exitCode = 2;
    },
  );
}
