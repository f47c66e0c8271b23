import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { workflowBundlePath } from './temporal.ts';

type History = Parameters<typeof historyToJSON>[0];

/** Histories as earlier builds left them, one folder a workflow. They are added to and never rewritten. */
const folderOf = (feature: string) => fileURLToPath(new URL(`../../histories/${feature}/`, import.meta.url));

/** Runs a history with the present code. Rejects when the code would have done something else. */
export function replayHistory(feature: string, history: unknown): Promise<void> {
  return Worker.runReplayHistory({ workflowBundle: { codePath: workflowBundlePath() }, replayName: feature }, history);
}

/** The kept histories of a workflow, by name. */
export async function keptHistories(feature: string): Promise<Map<string, { events: Record<string, unknown>[] }>> {
  const kept = new Map<string, { events: Record<string, unknown>[] }>();
  for (const name of (await readdir(folderOf(feature))).sort()) {
    kept.set(name.replace(/\.json$/, ''), JSON.parse(await readFile(join(folderOf(feature), name), 'utf8')));
  }
  return kept;
}

/** Replays what has just happened, and keeps it where no history of that name is kept yet. */
export async function replayAndKeep(feature: string, name: string, history: History): Promise<void> {
  await replayHistory(feature, history);
  const path = join(folderOf(feature), `${name}.json`);
  if (existsSync(path)) return;
  await mkdir(folderOf(feature), { recursive: true });
  await writeFile(path, `${JSON.stringify(withoutMachine(historyToJSON(history)), null, 1)}\n`);
}

/** A history without what names the machine that made it: identities, queues of single workers, paths of stack traces. */
function withoutMachine(historyJson: string): unknown {
  return JSON.parse(historyJson, (key, value: unknown) => {
    if (key === 'identity' || key === 'workerIdentity') return 'worker';
    if (key === 'name' && /^\d+@/.test(String(value))) return 'worker';
    return key === 'stackTrace' ? '' : value;
  });
}
