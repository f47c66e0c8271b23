import { beforeAll, describe, expect, it } from '@jest/globals';
import { recordedHistories } from '../support/temporal/histories.ts';
import { quietTemporal } from '../support/temporal/temporal.ts';

/** Histories that the tests of the workflows have kept; what waits in the field must go on with this build. */
const kept = {
  'client-data-request': ['outage', 'overdue-withdrawn', 'signal-lost', 'suspended'],
  'key-rotation': ['aborted', 'completed', 'failed', 'revoke-retried'],
  'integration-sync': ['cancelled', 'failed', 'succeeded'],
  'alert-evaluation': ['collector-stopped', 'fired', 'quiet'],
  'health-collection': ['evaluation-stopped', 'round'],
  'queue-bulk-retry': ['cancelled', 'done', 'killed', 'stopped'],
  'queue-clean': ['done', 'failed'],
  'queue-pause': ['ended-by-time', 'resumed'],
  'notification-delivery': ['delivered', 'failed', 'gone', 'mailed', 'retried'],
  housekeeping: ['batches', 'nothing'],
} as const;

interface Marker {
  readonly details: { readonly data?: { readonly payloads: { data: string }[] } };
}

beforeAll(quietTemporal);

describe.each(Object.entries(kept))('committed histories of %s', (kind, ends) => {
  const histories = recordedHistories(kind);

  it('cover every way to end', async () => {
    expect(await histories.names()).toEqual(expect.arrayContaining([...ends]));
  });

  it('replay with the present code', async () => {
    await histories.replayAll();
  });

  it('do not replay with other code: the check can fail', async () => {
    const [history] = (await histories.all()).values();
    for (const event of history?.events ?? []) renameActivity(event);
    await expect(histories.replay(history)).rejects.toThrow(/[Dd]eterminism/);
  });
});

/** Gives another name to the activity of an event; the marker of a local activity holds it in its payload. */
function renameActivity({ activityTaskScheduledEventAttributes, markerRecordedEventAttributes }: Record<string, unknown>): void {
  const scheduled = activityTaskScheduledEventAttributes as { activityType?: { name: string } } | undefined;
  if (scheduled?.activityType !== undefined) scheduled.activityType.name = 'somethingElse';
  for (const payload of (markerRecordedEventAttributes as Marker | undefined)?.details.data?.payloads ?? []) {
    const facts = JSON.parse(Buffer.from(payload.data, 'base64').toString()) as object;
    payload.data = Buffer.from(JSON.stringify({ ...facts, activity_type: 'somethingElse' })).toString('base64');
  }
}
