import { readFileSync } from 'node:fs';

/** What the global setup has started for one run of the suite; test files find it through a JSON file. */
export type RunState = {
  /** Superuser of the run's PostgreSQL. */
  admin_url: string;
  owner_url: string;
  app_url: string;
  /** The login of the audit retention. */
  retention_url: string;
  /** The migrated database that every test database is copied from. */
  template_database: string;
  temporal_address: string;
  /** The workflow code, bundled once for the run. */
  workflow_bundle: string;
  /** Tools that were downloaded or built once and are kept between runs. */
  cache_folder: string;
};

/** Name of the variable with the path of the JSON file. */
export const runStateVariable = 'CASTELLAN_TEST_RUN';

let cached: RunState | undefined;

/** The state of this run. Throws outside jest, because then nothing was started. */
export function runState(): RunState {
  if (cached !== undefined) return cached;
  const path = process.env[runStateVariable];
  if (path === undefined) throw new Error('The test servers run only under "npm test".');
  const state: RunState = JSON.parse(readFileSync(path, 'utf8'));
  cached = state;
  return state;
}
