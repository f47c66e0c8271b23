import { randomBytes } from 'node:crypto';

import { escapeIdentifier } from 'pg';

import { bootstrapDatabase, grantDatabase, withClient } from '../../src/dev/bootstrap-database.ts';
import { runState } from './run-state.ts';

/** A migrated database of its own for one test file. */
export type TestDatabase = {
  /** As the processes connect: bound by row-level security. */
  appUrl: string;
  /** As the audit retention connects. */
  retentionUrl: string;
  /** As the migrations connect. */
  ownerUrl: string;
  /** As superuser, to look behind every policy. */
  adminUrl: string;
  /** Ends all its connections and drops it. */
  drop(): Promise<void>;
};

/** Copies the migrated template; takes some tens of milliseconds. Drop it in `afterAll`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const state = runState();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withClient(state.admin_url, async (admin) => {
    const owner = new URL(state.owner_url).username;
    await admin.query(
      `create database ${escapeIdentifier(name)} template ${escapeIdentifier(state.template_database)} ` +
        `owner ${escapeIdentifier(owner)}`,
    );
    await grantDatabase(admin, name);
  });
  return {
    appUrl: withDatabase(state.app_url, name),
    retentionUrl: withDatabase(state.retention_url, name),
    ownerUrl: withDatabase(state.owner_url, name),
    adminUrl: withDatabase(state.admin_url, name),
    drop: () => dropDatabase(name),
  };
}

/** An empty database with roles and grants but without a migration, for the tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const state = runState();
  const name = `empty_${randomBytes(6).toString('hex')}`;
  const addresses = {
    appUrl: withDatabase(state.app_url, name),
    retentionUrl: withDatabase(state.retention_url, name),
    ownerUrl: withDatabase(state.owner_url, name),
  };
  await bootstrapDatabase({ adminUrl: state.admin_url, ...addresses });
  return {
    ...addresses,
    adminUrl: withDatabase(state.admin_url, name),
    drop: () => dropDatabase(name),
  };
}

async function dropDatabase(name: string): Promise<void> {
  await withClient(runState().admin_url, async (admin) => {
    await admin.query(`drop database if exists ${escapeIdentifier(name)} with (force)`);
  });
}

function withDatabase(address: string, database: string): string {
  const url = new URL(address);
  url.pathname = `/${database}`;
  return url.href;
}
