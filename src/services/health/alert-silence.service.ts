import { sql } from 'kysely';
import { Problem, notFound } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Columns of a silence that leave the database. */
export const silenceColumns = [
  'id',
  'threshold_id',
  'owner_id',
  'reason',
  'starts_at',
  'ends_at',
  'ended_at',
  'ended_by',
  'lapse_told_at',
  'version',
  'created_at',
  'updated_at',
] as const;

const event = (deed: string) => ({ event: `alert_silence.${deed}`, resource_type: 'alert_silence' });

/** What a new silence is made of; times are RFC 3339. */
export interface NewSilence {
  readonly threshold_id: string | null;
  readonly reason: string;
  readonly starts_at: string;
  readonly ends_at: string;
}

/**
 * Opens a silence that its maker answers for. With the changes below this file is the only writer of
 * `admin_alert_silences`, but for the mark that its end was told.
 *
 * @throws Problem `resource.not-found` when the threshold is not there.
 */
export async function openSilence(tx: Tx, ownerId: string, wanted: NewSilence) {
  if (wanted.threshold_id !== null) {
    const threshold = await tx.sql
      .selectFrom('admin_alert_thresholds')
      .where('id', '=', wanted.threshold_id)
      .where('removed_at', 'is', null)
      .select('id')
      .executeTakeFirst();
    if (threshold === undefined) throw notFound('threshold');
  }
  const silence = await tx.sql
    .insertInto('admin_alert_silences')
    .values({ tenant_id: tx.actor.tenant_id, owner_id: ownerId, ...wanted })
    .returning(silenceColumns)
    .executeTakeFirstOrThrow();
  tx.audit({ ...event('create'), action: 'create', resource_id: silence.id, new_values: wanted });
  return silence;
}

/** What of a silence that still lies can be changed. */
export interface SilenceChange {
  readonly reason?: string | undefined;
  readonly ends_at?: string | undefined;
}

/**
 * @throws Problem `resource.not-found`, `resource.version-mismatch`, `resource.conflict` when it is over,
 * `request.invalid`
 *   when it would end before it starts.
 */
export async function changeSilence(tx: Tx, place: { id: string; version: number }, change: SilenceChange) {
  const before = await lockLiving(tx, place.id);
  if (before.version !== place.version) {
    throw new Problem({
      code: 'resource.version-mismatch',
      detail: 'The silence has changed since it was read. Read it again and repeat the change.',
      members: { current_version: before.version },
    });
  }
  if (change.ends_at !== undefined && Date.parse(change.ends_at) <= Date.parse(before.starts_at)) {
    throw new Problem({
      code: 'request.invalid',
      detail: 'A silence ends after it starts.',
      errors: [{ pointer: '/ends_at', detail: `must be after ${before.starts_at}` }],
    });
  }
  const after = await tx.sql
    .updateTable('admin_alert_silences')
    .set({ ...change, version: before.version + 1, updated_at: sql<string>`clock_timestamp()` })
    .where('id', '=', place.id)
    .returning(silenceColumns)
    .executeTakeFirstOrThrow();
  tx.audit({ ...event('update'), action: 'update', resource_id: place.id, old_values: before, new_values: after });
  return after;
}

/**
 * Ends a silence at once; what it held back is told by the next evaluation. Again and again with the same result.
 *
 * @throws Problem `resource.not-found`.
 */
export async function endSilence(tx: Tx, id: string): Promise<void> {
  const before = await lockSilence(tx, id);
  if (before.ended_at !== null || before.lapse_told_at !== null) return;
  await tx.sql
    .updateTable('admin_alert_silences')
    .set({
      ended_at: sql<string>`clock_timestamp()`,
      ended_by: tx.actor.user_id,
      version: before.version + 1,
      updated_at: sql<string>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .execute();
  tx.audit({ ...event('end'), action: 'delete', resource_id: id, old_values: before });
}

async function lockSilence(tx: Tx, id: string) {
  const silence = await tx.sql
    .selectFrom('admin_alert_silences')
    .where('id', '=', id)
    .select(silenceColumns)
    .forUpdate()
    .executeTakeFirst();
  if (silence === undefined) throw notFound('silence');
  return silence;
}

async function lockLiving(tx: Tx, id: string) {
  const silence = await lockSilence(tx, id);
  if (silence.ended_at === null && silence.lapse_told_at === null && Date.parse(silence.ends_at) > Date.now())
    return silence;
  throw new Problem({ code: 'resource.conflict', detail: 'The silence is over. Make a new one.' });
}
