import { Writable } from 'node:stream';
import proto from '@temporalio/proto';
import type { Client as TemporalClient } from '@temporalio/client';
import { withClient } from '../../src/dev/bootstrap-database.ts';

const { history, workflowservice } = {
  history: proto.temporal.api.history.v1,
  workflowservice: proto.temporal.api.workflowservice.v1,
};

/** A stream that keeps what is written to it. */
export class Recording extends Writable {
  readonly #parts: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#parts.push(Buffer.from(chunk));
    done();
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }
}

/** Every row of every table as JSON, one text a table. */
export async function dumpTables(adminUrl: string): Promise<Map<string, string>> {
  return withClient(adminUrl, async (admin) => {
    const { rows: tables } = await admin.query<{ name: string }>(
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')",
    );
    const dump = new Map<string, string>();
    for (const { name } of tables) {
      const { rows } = await admin.query<{ text: string }>(`select coalesce(json_agg(t)::text, '') as text from ${name} t`);
      dump.set(name, rows[0]?.text ?? '');
    }
    return dump;
  });
}

/**
 * Every workflow of a task queue as the server keeps it: history with inputs and results, search attributes, memo. The
 * bytes as they travel, so that payloads are seen as they are.
 */
export async function dumpWorkflows(client: TemporalClient, taskQueue: string): Promise<Map<string, string>> {
  const dump = new Map<string, string>();
  for await (const { workflowId, runId } of client.workflow.list({ query: `TaskQueue = '${taskQueue}'` })) {
    const handle = client.workflow.getHandle(workflowId, runId);
    const events = history.History.encode(await handle.fetchHistory()).finish();
    const described = workflowservice.DescribeWorkflowExecutionResponse.encode((await handle.describe()).raw).finish();
    dump.set(workflowId, Buffer.concat([events, described]).toString('latin1'));
  }
  return dump;
}
