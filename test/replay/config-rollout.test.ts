import { beforeAll, describe, expect, it } from '@jest/globals';
import { recordedHistories } from '../support/temporal/histories.ts';
import { quietTemporal } from '../support/temporal/temporal.ts';

/**
 * Histories as they were when rollouts were under way in earlier builds; `test/workflows/config/config-rollout*.test.ts` record
 * one where a name is missing. They are added to and never rewritten.
 */
const histories = recordedHistories('config-rollout');

beforeAll(quietTemporal);

describe('committed histories of rollouts', () => {
  it('cover the ways in which a rollout ends, and replay with the present code', async () => {
    const ends = ['aborted', 'carried', 'continued', 'held', 'restored', 'succeeded'];
    expect(await histories.names()).toEqual(expect.arrayContaining(ends));
    await histories.replayAll();
  });

  it('do not replay with other code: the check can fail', async () => {
    const history = (await histories.all()).get('restored');
    for (const event of history?.events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes as { activityType?: { name: string } } | undefined;
      if (scheduled?.activityType?.name === 'measureGuards') scheduled.activityType.name = 'somethingElse';
    }
    await expect(histories.replay(history)).rejects.toThrow(/[Dd]eterminism/);
  });
});
