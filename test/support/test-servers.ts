import { chmod, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { escapeIdentifier } from 'pg';

import { withClient } from '../../src/dev/bootstrap-database.ts';
import { buildWorkflowBundleApart } from '../../src/dev/build-bundle.ts';
import { cacheFolderPath } from '../../src/dev/data-folder.ts';
import { startEmbeddedPostgres } from '../../src/dev/embedded-postgres.ts';
import { migrateUp } from '../../src/dev/migrate.ts';
import { freePort } from '../../src/dev/ports.ts';
import { findTemporal } from '../../src/dev/temporal-finder.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';
import { registerSearchAttributes } from '../../src/platform/temporal/search-attributes.ts';
import { searchAttributes } from '../../src/workflows/shared/search-attributes.ts';
import type { RunState } from './run-state.ts';

/** The servers of one test run. */
export type TestServers = {
  /** JSON file that holds the {@link RunState}. */
  stateFile: string;
  stop(): Promise<void>;
};

type Undo = () => Promise<void>;

const namespace = 'default';
const progress = (step: string) => process.stderr.write(`test servers: ${step}\n`);

/** Nothing of a test run has to survive a power cut. */
const carelessSettings = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'autovacuum_naptime=1h'];

const memoryFolder = '/dev/shm';
const gibibyte = 1024 ** 3;

/**
 * Where the servers keep their files: in memory where there is plenty, because every test file copies a database of a
 * thousand small files, which takes a disk twenty times as long (0.7 s against 0.03 s). Containers often have 64 MB there.
 */
async function parentFolder(): Promise<string> {
  if (process.env.TMPDIR !== undefined || freemem() < 10 * gibibyte) return tmpdir();
  const room = await statfs(memoryFolder).then(({ bavail, bsize }) => bavail * bsize, () => 0);
  return room < 6 * gibibyte ? tmpdir() : memoryFolder;
}

/**
 * Starts PostgreSQL and Temporal for one run in a temporary folder, migrates the database that the test databases
 * are copied from, and bundles the workflows. Whatever was started is stopped again when a part fails.
 */
export async function startTestServers(): Promise<TestServers> {
  const folder = await mkdtemp(join(await parentFolder(), 'castellan-test-'));
  const undos: Undo[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  const stop = async () => {
    for (const undo of undos.splice(0).reverse()) await undo();
  };
  try {
    await chmod(folder, 0o711); // for the account that PostgreSQL runs as when we are root
    const starting = {
      database: startDatabase(folder, undos),
      temporal: startTemporal(folder, undos),
      bundle: buildWorkflowBundleApart(join(folder, 'workflow-bundle.js')),
    };
    // All have to come to an end before any failure is passed on: what is still starting could not be stopped.
    await Promise.allSettled(Object.values(starting));
    const state: RunState = {
      ...(await starting.database),
      temporal_address: await starting.temporal,
      workflow_bundle: await starting.bundle,
      cache_folder: cacheFolderPath(process.env),
    };
    const stateFile = join(folder, 'run.json');
    await writeFile(stateFile, JSON.stringify(state), { mode: 0o600 });
    return { stateFile, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type DatabasePart = Pick<RunState, 'admin_url' | 'owner_url' | 'app_url' | 'retention_url' | 'template_database'>;

async function startDatabase(folder: string, undos: Undo[]): Promise<DatabasePart> {
  const postgres = await startEmbeddedPostgres({
    folder,
    logFile: join(folder, 'postgres.log'),
    port: await freePort(),
    passwords: { superuser: 'test-superuser', owner: 'test-owner', app: 'test-app', retention: 'test-retention' },
    settings: carelessSettings,
  });
  undos.push(() => postgres.stop());
  await migrateUp(postgres.ownerUrl);
  const template = new URL(postgres.ownerUrl).pathname.slice(1);
  await withClient(postgres.adminUrl, (admin) =>
    admin.query(`alter database ${escapeIdentifier(template)} with is_template true allow_connections false`),
  );
  return {
    admin_url: postgres.adminUrl,
    owner_url: postgres.ownerUrl,
    app_url: postgres.appUrl,
    retention_url: postgres.retentionUrl ?? '',
    template_database: template,
  };
}

/** The tests always use a server of their own: they would leave their workflows in a shared one. */
async function startTemporal(folder: string, undos: Undo[]): Promise<string> {
  const source = await findTemporal({
    env: { ...process.env, TEMPORAL_ADDRESS: undefined },
    cacheFolder: cacheFolderPath(process.env),
    progress,
  });
  if (source.kind === 'server') return source.address;
  const server = await startTemporalServer({
    executable: source.path,
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port: await freePort(),
    namespace,
  });
  undos.push(() => server.stop());
  await registerAttributes(server.address);
  return server.address;
}

/** What a worker does before anything else: a test without one starts workflows all the same. */
async function registerAttributes(address: string): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await registerSearchAttributes(new Client({ connection, namespace }), namespace, searchAttributes);
  } finally {
    await connection.close();
  }
}
