import { sql } from 'kysely';
import type { AlertAggregate, AlertComparator, AlertSeverity } from '../../domain/health/alert.ts';
import { sameJson } from '../../domain/shared/canonical.ts';
import type { HealthMetricName } from '../../domain/health/health-metric.ts';
import { thresholdColumns } from './alert.queries.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { assertChanges, assertVersion, nextVersion } from '../../platform/row-version.ts';

/** A threshold as people configure it. Its name identifies it within the tenant. */
interface ThresholdSetting {
  readonly name: string;
  readonly metric: HealthMetricName;
  readonly comparator: AlertComparator;
  readonly threshold: number;
  readonly clear_threshold: number;
  readonly aggregate: AlertAggregate;
  readonly window_seconds: number;
  readonly for_seconds: number;
  readonly severity: AlertSeverity;
  readonly channel_ids: string[];
  readonly note: string | null;
  readonly is_enabled: boolean;
}

/** Locks the set of thresholds. @returns its version; 0 before the tenant has configured any. */
async function lockSettings(tx: Tx): Promise<number> {
  await tx.sql
    .insertInto('admin_alert_settings')
    .values({ tenant_id: tx.actor.tenant_id, version: 0 })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { version } = await tx.sql
    .selectFrom('admin_alert_settings')
    .select('version')
    .forUpdate()
    .executeTakeFirstOrThrow();
  return version;
}

/**
 * Replaces the thresholds of the tenant as a whole (S2-34); the only writer of `admin_alert_thresholds`. A threshold that
 * keeps its name and metric keeps its open alert; that of a removed one, or of one with another metric, is closed by the
 * evaluation.
 *
 * @returns the new version.
 * @throws Problem `resource.version-mismatch` when the set has changed since `version`, `request.invalid` when a channel
 *   does not exist in the tenant, `resource.unchanged`.
 */
export async function replaceThresholds(
  tx: Tx,
  wanted: readonly ThresholdSetting[],
  version: number,
): Promise<{ version: number }> {
  const current = await lockSettings(tx);
  assertVersion({ version: current }, version);
  await assertChannelsExist(tx, wanted);
  const before = await tx.sql
    .selectFrom('admin_alert_thresholds')
    .where('removed_at', 'is', null)
    .select(['id', ...thresholdColumns])
    .execute();
  const stored = byName(before.map(({ id: _id, ...setting }) => setting));
  assertChanges({ thresholds: stored }, { thresholds: byName(wanted) }, 'set of thresholds');
  const known = new Map(before.map((row) => [row.name, row]));
  const kept = wanted.filter(({ name, metric }) => known.get(name)?.metric === metric);
  const keptNames = new Set(kept.map(({ name }) => name));

  const goneIds = before.filter(({ name }) => !keptNames.has(name)).map(({ id }) => id);
  if (goneIds.length > 0) {
    await tx.sql
      .updateTable('admin_alert_thresholds')
      .set({ removed_at: sql<string>`clock_timestamp()`, version: nextVersion() })
      .where('id', 'in', goneIds)
      .execute();
  }
  for (const setting of kept) {
    const { id, ...present } = known.get(setting.name) ?? { id: '' };
    if (sameJson(present, setting)) continue;
    await tx.sql
      .updateTable('admin_alert_thresholds')
      .set({ ...columnsOf(setting), updated_at: sql<string>`clock_timestamp()`, version: nextVersion() })
      .where('id', '=', id)
      .execute();
  }
  const added = wanted.filter(({ name }) => !keptNames.has(name));
  if (added.length > 0) {
    await tx.sql
      .insertInto('admin_alert_thresholds')
      .values(added.map((setting) => ({ tenant_id: tx.actor.tenant_id, ...columnsOf(setting) })))
      .execute();
  }
  const next = { version: version + 1 };
  await tx.sql
    .updateTable('admin_alert_settings')
    .set({ ...next, updated_by: tx.actor.user_id, updated_at: sql<string>`clock_timestamp()` })
    .execute();
  tx.audit({
    event: 'alert_threshold.replace',
    action: 'update',
    resource_type: 'alert_threshold',
    resource_id: null,
    old_values: { version, thresholds: stored },
    new_values: { ...next, thresholds: wanted },
  });
  return next;
}

/** A set in an order of its own, so that it can be compared. */
function byName(settings: readonly ThresholdSetting[]): ThresholdSetting[] {
  return settings.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

function columnsOf(setting: ThresholdSetting) {
  return { ...setting, channel_ids: sql<string[]>`${setting.channel_ids}::uuid[]` };
}

async function assertChannelsExist(tx: Tx, wanted: readonly ThresholdSetting[]): Promise<void> {
  const named = [...new Set(wanted.flatMap(({ channel_ids }) => channel_ids))];
  if (named.length === 0) return;
  const rows = await tx.sql
    .selectFrom('notification_channels')
    .where('deleted_at', 'is', null)
    .where('id', 'in', named)
    .select('id')
    .execute();
  const known = new Set(rows.map(({ id }) => id));
  const errors = wanted.flatMap(({ channel_ids }, at) =>
    channel_ids.flatMap((id, index) =>
      known.has(id) ? [] : [{ pointer: `/thresholds/${at}/channel_ids/${index}`, detail: 'There is no such channel.' }],
    ),
  );
  if (errors.length > 0) {
    throw new Problem({ code: 'request.invalid', detail: 'A threshold names a channel that does not exist.', errors });
  }
}
