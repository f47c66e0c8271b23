import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { workflowBundlePath } from './temporal.ts';

type History = Parameters<typeof historyToJSON>[0];

/** A history as it is kept. */
interface KeptHistory {
  readonly events: Record<string, unknown>[];
}

/** Recorded histories of one kind of workflow, under `test/histories/<kind>`: those of earlier builds, never rewritten. */
interface RecordedHistories {
  /** Names of what is kept. */
  names(): Promise<string[]>;
  /** What is kept, by name. */
  all(): Promise<Map<string, KeptHistory>>;
  /** Runs a history with the present code. @throws when the code would have done something else */
  replay(history: unknown): Promise<void>;
  /** Replays everything that is kept. @throws when one does not replay */
  replayAll(): Promise<void>;
  /** Replays a history of this build, and keeps it where none of that name is kept yet. */
  record(name: string, history: History): Promise<void>;
}

/** The recorded histories of a kind of workflow. */
export function recordedHistories(kind: string): RecordedHistories {
  const folder = fileURLToPath(new URL(`../../histories/${kind}/`, import.meta.url));
  const pathOf = (name: string) => join(folder, `${name}.json`);
  const histories: RecordedHistories = {
    names: async () => (await readdir(folder)).map((name) => name.replace(/\.json$/, '')).toSorted(),
    all: async () => {
      const kept = new Map<string, KeptHistory>();
      for (const name of await histories.names()) kept.set(name, JSON.parse(await readFile(pathOf(name), 'utf8')));
      return kept;
    },
    replay: (history) =>
      Worker.runReplayHistory({ workflowBundle: { codePath: workflowBundlePath() }, replayName: kind }, history),
    replayAll: async () => {
      for (const history of (await histories.all()).values()) await histories.replay(history);
    },
    record: async (name, history) => {
      await histories.replay(history);
      if (existsSync(pathOf(name))) return;
      await mkdir(folder, { recursive: true });
      await writeFile(pathOf(name), `${JSON.stringify(withoutMachine(historyToJSON(history)), null, 1)}\n`);
    },
  };
  return histories;
}

/** A history without what names the machine that made it: identities, queues of single workers, paths of stack traces. */
function withoutMachine(historyJson: string): unknown {
  return JSON.parse(historyJson, (key, value: unknown) => {
    if (key === 'identity' || key === 'workerIdentity') return 'worker';
    if (key === 'name' && /^\d+@/.test(String(value))) return 'worker';
    return key === 'stackTrace' ? '' : value;
  });
}
