import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { workflowBundlePath } from './temporal.ts';

type History = Parameters<typeof historyToJSON>[0];

/** Recorded histories of one kind of workflow, under `test/histories/<kind>`: those of earlier builds, never rewritten. */
export interface RecordedHistories {
  /** Names of what is kept. */
  names(): Promise<string[]>;
  /** Replays everything that is kept with the present code. @throws when one does not replay. */
  replayAll(): Promise<void>;
  /** Replays a history of this build, and keeps it where none of that name is kept yet. */
  record(name: string, history: History): Promise<void>;
}

/** The recorded histories of a kind of workflow. */
export function recordedHistories(kind: string): RecordedHistories {
  const folder = fileURLToPath(new URL(`../../histories/${kind}/`, import.meta.url));
  const names = async () => (await readdir(folder)).map((name) => name.replace(/\.json$/, ''));
  const replay = (history: unknown) =>
    Worker.runReplayHistory({ workflowBundle: { codePath: workflowBundlePath() }, replayName: kind }, history);
  return {
    names,
    replayAll: async () => {
      for (const name of await names()) await replay(JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')));
    },
    record: async (name, history) => {
      await replay(history);
      const path = join(folder, `${name}.json`);
      if (existsSync(path)) return;
      await mkdir(folder, { recursive: true });
      await writeFile(path, `${JSON.stringify(withoutMachine(historyToJSON(history)), null, 1)}\n`);
    },
  };
}

/** A history without what names the machine that made it: identities, queues of single workers, paths of stack traces. */
function withoutMachine(historyJson: string): unknown {
  return JSON.parse(historyJson, (key, value: unknown) => {
    if (key === 'identity' || key === 'workerIdentity') return 'worker';
    if (key === 'name' && /^\d+@/.test(String(value))) return 'worker';
    return key === 'stackTrace' ? '' : value;
  });
}
