import { sql } from 'kysely';
import { healthRetentionSeconds } from '../../domain/health/health-history.ts';
import type { HealthResolution } from '../../domain/health/health-history.ts';
import type { Database } from '../../platform/database/database.ts';
import type { HealthTending } from '../../workflows/health/health-collection.contract.ts';
import { callHealthFunction } from './health.repository.ts';

/** Intervals that one call aggregates: four hours of five-minute intervals, two days of hours. */
const intervalsPerBatch = 48;
/** Rows that one call deletes. */
const purgedPerBatch = 5_000;
/** A measurement may be written this much later than its time and still be in its average, in milliseconds. */
const lateMs = 5 * 60_000;

/**
 * Aggregates and purges one bounded batch of measurements. Hourly averages are made of five-minute ones, so they wait
 * until those are complete; and no row is purged before it was aggregated, however late that is.
 *
 * @param at the time of the round in milliseconds since the epoch.
 */
export async function rollUpAndPurge(db: Database, at: number): Promise<HealthTending> {
  const fine = await rollUp(db, 0, 300, at - lateMs);
  if (fine >= intervalsPerBatch) return { rolled_up: fine, purged: 0, full: true };
  const coarse = await rollUp(db, 300, 3600, at - 2 * lateMs);
  if (coarse >= intervalsPerBatch) return { rolled_up: fine + coarse, purged: 0, full: true };
  const removed: number[] = [];
  for (const resolution of [0, 300, 3600] as const) removed.push(await purge(db, resolution, at));
  return {
    rolled_up: fine + coarse,
    purged: removed.reduce((sum, rows) => sum + rows, 0),
    full: removed.some((rows) => rows >= purgedPerBatch),
  };
}

/** @returns how many intervals were worked through; less than a batch when all are done. */
function rollUp(db: Database, from: HealthResolution, to: HealthResolution, until: number): Promise<number> {
  const before = new Date(until).toISOString();
  return callHealthFunction(
    db,
    sql<number>`roll_up_system_health(${from}::int, ${to}::int, ${before}::timestamptz, ${intervalsPerBatch}::int)`,
  );
}

/** @returns how many rows were removed. */
function purge(db: Database, resolution: HealthResolution, at: number): Promise<number> {
  const before = new Date(at - healthRetentionSeconds[resolution] * 1000).toISOString();
  return callHealthFunction(
    db,
    sql<number>`purge_system_health(${resolution}::int, ${before}::timestamptz, ${purgedPerBatch}::int)`,
  );
}
