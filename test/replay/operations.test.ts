import { beforeAll, describe, expect, it } from '@jest/globals';
import { keptHistories, replayHistory } from '../support/kept-histories.ts';
import { quietTemporal } from '../support/temporal.ts';

/** Histories that the tests of queues, health and alerts have kept; what waits in the field must go on with this build. */
const kept = {
  'alert-evaluation': ['collector-stopped', 'fired', 'quiet'],
  'health-collection': ['evaluation-stopped', 'round'],
  'queue-bulk-retry': ['cancelled', 'done', 'killed', 'stopped'],
  'queue-clean': ['done', 'failed'],
  'queue-pause': ['ended-by-time', 'resumed'],
} as const;

beforeAll(quietTemporal);

describe.each(Object.entries(kept))('committed histories of %s', (feature, ends) => {
  it('cover every way to end', async () => {
    expect([...(await keptHistories(feature)).keys()]).toEqual(expect.arrayContaining([...ends]));
  });

  it('replay with the present code', async () => {
    for (const history of (await keptHistories(feature)).values()) await replayHistory(feature, history);
  });

  it('do not replay with other code: the check can fail', async () => {
    const [history] = (await keptHistories(feature)).values();
    for (const event of history?.events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes as { activityType?: { name: string } } | undefined;
      if (scheduled?.activityType !== undefined) scheduled.activityType.name = 'somethingElse';
    }
    await expect(replayHistory(feature, history)).rejects.toThrow(/[Dd]eterminism/);
  });
});
