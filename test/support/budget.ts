import { readFile, writeFile } from 'node:fs/promises';
import type { Client } from '@temporalio/client';

/** What a call may cost. */
export interface CallBudget {
  /** Times that the API waits for PostgreSQL. */
  readonly sql: number;
  /** RPCs to Temporal. */
  readonly temporal: number;
}

/** The committed limits: exact counts, no clocks, so that they hold on every machine. */
export interface Budget {
  readonly calls: Readonly<Record<string, CallBudget>>;
  /** Events in the history of a workflow from start to end, by scenario. */
  readonly history_events: Readonly<Record<string, number>>;
  /** Workflow code without its source map. */
  readonly bundle_bytes: number;
}

const budgetFile = new URL('../../budgets.json', import.meta.url);

/** True in `npm run budget`, which writes what was measured. */
export const isUpdate = process.env['CASTELLAN_BUDGET'] === 'write';

export async function readBudget(): Promise<Budget> {
  return JSON.parse(await readFile(budgetFile, 'utf8')) as Budget;
}

/** Writes the limits, in the order of their names. */
export async function writeBudget({ calls, history_events, bundle_bytes }: Budget): Promise<void> {
  const sorted = <Value>(values: Readonly<Record<string, Value>>) =>
    Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = JSON.stringify({ calls: sorted(calls), history_events: sorted(history_events), bundle_bytes }, null, 2);
  await writeFile(budgetFile, `${text}\n`);
}

/** Asked at intervals while a call is pending, to see whether the server is still there: how often depends on the machine. */
const probeRpc = 'getSystemInfo';

/** Counts the RPCs of a Temporal client from now on. */
export function countRpcs(client: Client): () => number {
  let count = 0;
  const service = client.connection.workflowService as unknown as Record<string, unknown>;
  for (const [name, rpc] of Object.entries(service)) {
    if (typeof rpc !== 'function' || name === probeRpc) continue;
    service[name] = (...parameters: unknown[]): unknown => {
      count += 1;
      return rpc(...parameters);
    };
  }
  return () => count;
}
