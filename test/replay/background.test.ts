import { beforeAll, describe, expect, it } from '@jest/globals';
import { keptHistories, replayHistory } from '../support/kept-histories.ts';
import { quietTemporal } from '../support/temporal.ts';

/** Histories that the tests of notifications and of housekeeping have kept; deliveries wait for hours between attempts. */
const kept = {
  'notification-delivery': ['delivered', 'failed', 'gone', 'mailed', 'retried'],
  housekeeping: ['batches', 'nothing'],
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
    // Both begin with a local activity, whose marker names it.
    for (const { markerRecordedEventAttributes: marker } of history?.events ?? []) renameActivity(marker);
    await expect(replayHistory(feature, history)).rejects.toThrow(/[Dd]eterminism/);
  });
});

interface Marker {
  details: { data: { payloads: { data: string }[] } };
}

function renameActivity(marker: unknown): void {
  for (const payload of (marker as Marker | undefined)?.details.data.payloads ?? []) {
    const facts = JSON.parse(Buffer.from(payload.data, 'base64').toString()) as object;
    payload.data = Buffer.from(JSON.stringify({ ...facts, activity_type: 'somethingElse' })).toString('base64');
  }
}
