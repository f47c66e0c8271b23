import { sql } from 'kysely';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { unknownReference } from '../../platform/input-issues.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { assertChanges, assertVersion, nextVersion } from '../../platform/row-version.ts';
import { silenceColumns } from './alert.queries.ts';

const event = (operation: string) => ({ event: `alert_silence.${operation}`, resource_type: 'alert_silence' });

/** The longest silence, in milliseconds: whoever needs quiet for longer changes the threshold. */
const maxSilenceMs = 30 * 86_400_000;

/** A silence that somebody asks for; times are RFC 3339. */
interface NewSilence {
  /** Null silences every alert of the tenant. */
  readonly threshold_id: string | null;
  readonly reason: string;
  /** Now when left out. */
  readonly starts_at?: string | undefined;
  readonly ends_at: string;
}

/**
 * Creates a silence, which is owned by the person who asks. This file is the only writer of `admin_alert_silences`, except
 * for the mark that the end of a silence was notified.
 *
 * @param now milliseconds since the epoch.
 * @throws Problem `auth.forbidden` for an actor without a user, `request.invalid` at `/ends_at`, `resource.not-found` when
 *   the threshold does not exist.
 */
export async function createSilence(tx: Tx, wanted: NewSilence, now: number) {
  const { user_id } = tx.actor;
  if (user_id === null) {
    throw new Problem({ code: 'auth.forbidden', detail: 'Only a user can own a silence.' });
  }
  const starts_at = wanted.starts_at ?? new Date(now).toISOString();
  assertSpan(Date.parse(starts_at), wanted.ends_at, now);
  return insertSilence(tx, user_id, { ...wanted, starts_at });
}

/** @throws Problem `request.invalid` at `/ends_at`. */
function assertSpan(startsAt: number, endsAt: string, now: number): void {
  const end = Date.parse(endsAt);
  const isAhead = end > Math.max(startsAt, now);
  if (isAhead && end - startsAt <= maxSilenceMs) return;
  throw new Problem({
    code: 'request.invalid',
    detail: 'A silence has an end, at most 30 days after its start.',
    errors: [
      {
        pointer: '/ends_at',
        detail: isAhead ? 'must be within 30 days of the start' : 'must be in the future and after the start',
      },
    ],
  });
}

async function insertSilence(tx: Tx, ownerId: string, wanted: NewSilence & { readonly starts_at: string }) {
  if (wanted.threshold_id !== null) {
    const threshold = await tx.sql
      .selectFrom('admin_alert_thresholds')
      .where('id', '=', wanted.threshold_id)
      .where('removed_at', 'is', null)
      .select('id')
      .executeTakeFirst();
    if (threshold === undefined) throw unknownReference('/threshold_id', 'threshold');
  }
  const silence = await tx.sql
    .insertInto('admin_alert_silences')
    .values({ tenant_id: tx.actor.tenant_id, owner_id: ownerId, ...wanted })
    .returning(silenceColumns)
    .executeTakeFirstOrThrow();
  tx.audit({ ...event('create'), action: 'create', resource_id: silence.id, new_values: wanted });
  return silence;
}

/** What can be changed of a silence that is not over. */
interface SilenceChange {
  readonly reason?: string | undefined;
  readonly ends_at?: string | undefined;
}

/** Which silence is changed, and the version that the change was made on. */
interface SilenceVersion {
  readonly id: string;
  readonly version: number;
}

/**
 * Changes the end or the reason of a silence that is not over.
 *
 * @param now milliseconds since the epoch.
 * @throws Problem `resource.not-found`, `resource.version-mismatch`, `resource.conflict` when it is over,
 *   `request.invalid` at `/ends_at`.
 */
export async function changeSilence(
  tx: Tx,
  expected: SilenceVersion,
  change: SilenceChange,
  now: number,
) {
  if (change.ends_at !== undefined) assertSpan(now, change.ends_at, now);
  return updateSilence(tx, expected, change);
}

async function updateSilence(tx: Tx, expected: SilenceVersion, change: SilenceChange) {
  const before = assertVersion(await lockOpenSilence(tx, expected.id), expected.version);
  assertChanges(before, change, 'silence');
  if (change.ends_at !== undefined && Date.parse(change.ends_at) <= Date.parse(before.starts_at)) {
    throw new Problem({
      code: 'request.invalid',
      detail: 'A silence ends after it starts.',
      errors: [{ pointer: '/ends_at', detail: `must be after ${before.starts_at}` }],
    });
  }
  const after = await tx.sql
    .updateTable('admin_alert_silences')
    .set({ ...change, version: nextVersion(), updated_at: sql<string>`clock_timestamp()` })
    .where('id', '=', expected.id)
    .returning(silenceColumns)
    .executeTakeFirstOrThrow();
  tx.audit({ ...event('update'), action: 'update', resource_id: expected.id, old_values: before, new_values: after });
  return after;
}

/**
 * Ends a silence at once; the next evaluation sends what it has held back. Repeating it changes nothing.
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
      version: nextVersion(),
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

async function lockOpenSilence(tx: Tx, id: string) {
  const silence = await lockSilence(tx, id);
  const isOver =
    silence.ended_at !== null || silence.lapse_told_at !== null || Date.parse(silence.ends_at) <= Date.now();
  if (!isOver) return silence;
  throw new Problem({ code: 'resource.conflict', detail: 'The silence has ended. Create a new one.' });
}
