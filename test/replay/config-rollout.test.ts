import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { quietTemporal, workflowBundlePath } from '../support/temporal/temporal.ts';

/**
 * Histories as they were when rollouts were under way in earlier builds; `test/workflows/config-rollout*.test.ts` record
 * one where a name is missing. They are added to and never rewritten.
 */
const folder = fileURLToPath(new URL('../histories/config-rollout/', import.meta.url));

const load = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'));
const replay = (history: unknown) =>
  Worker.runReplayHistory({ workflowBundle: { codePath: workflowBundlePath() }, replayName: 'rollout' }, history);

beforeAll(quietTemporal);

describe('committed histories of rollouts', () => {
  it('cover the ways in which a rollout ends, and replay with the present code', async () => {
    const names = await readdir(folder);
    const ends = ['aborted', 'carried', 'continued', 'held', 'restored', 'succeeded'];
    expect(names).toEqual(expect.arrayContaining(ends.map((name) => `${name}.json`)));
    for (const name of names) await replay(await load(name));
  });

  it('do not replay with other code: the check can fail', async () => {
    const history = await load('restored.json');
    for (const event of history.events) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (scheduled?.activityType?.name === 'measureGuards') scheduled.activityType.name = 'somethingElse';
    }
    await expect(replay(history)).rejects.toThrow(/[Dd]eterminism/);
  });
});
