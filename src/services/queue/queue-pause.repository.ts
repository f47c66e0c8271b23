import { sql } from 'kysely';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { putSafeguardNews } from '../approval/safeguard-news.repository.ts';
import { undoCommand } from '../commands/command.repository.ts';
import { putRefresh } from '../commands/workflow-start.repository.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { lockQueue, openQueueEvent, settleQueueEvent } from './queue.repository.ts';

/** A pause: its id is also that of its event. Times are milliseconds since the epoch. */
interface QueuePause {
  readonly queue_id: string;
  readonly pause_id: string;
  readonly reason: string;
  readonly paused_until: number;
}

/**
 * Records a pause before the engine is asked for it (S2-27). A repetition changes nothing.
 *
 * @param consumeProof consumes the factor proof; not called for a repetition.
 * @throws Problem `queue.already-paused`
 */
export async function beginPause(tx: Tx, pause: QueuePause, consumeProof: () => Promise<void>): Promise<void> {
  const queue = await lockQueue(tx, { id: pause.queue_id });
  if (queue.pause_id === pause.pause_id) return;
  if (queue.pause_id !== null) throw alreadyPaused();
  await consumeProof();
  const until = new Date(pause.paused_until).toISOString();
  await tx.sql
    .updateTable('admin_queues')
    .set({
      ...touched,
      pause_id: pause.pause_id,
      pause_state: 'pausing',
      pause_reason: pause.reason,
      paused_by: tx.actor.user_id,
      paused_at: sql<string>`now()`,
      paused_until: until,
    })
    .where('id', '=', queue.id)
    .execute();
  putSafeguardNews(tx, 'queue-paused', { subject: queue.name });
  await openQueueEvent(tx, {
    id: pause.pause_id,
    queue_id: queue.id,
    kind: 'pause',
    reason: pause.reason,
    details: { paused_until: until },
  });
}

/** The refusal of a second pause. */
export function alreadyPaused(): Problem {
  return new Problem({ code: 'queue.already-paused', detail: 'The queue is paused already.' });
}

type PauseRef = Pick<QueuePause, 'queue_id' | 'pause_id'>;

/** Records that the engine has paused the queue. @returns false when the pause was withdrawn or has ended meanwhile. */
export async function confirmPause(tx: Tx, { queue_id, pause_id }: PauseRef): Promise<boolean> {
  const queue = await lockQueue(tx, { id: queue_id });
  if (queue.pause_id !== pause_id) return false;
  if (queue.pause_state === 'paused') return true;
  await tx.sql.updateTable('admin_queues').set({ pause_state: 'paused' }).where('id', '=', queue_id).execute();
  await settleQueueEvent(tx, pause_id, { state: 'running' });
  return true;
}

/**
 * Withdraws a pause, because the engine could not be reached, and with it the command that has asked for it. One that the engine is
 * known to have made stays, because somebody may have been told so.
 *
 * @returns true when it is in force.
 */
export async function abandonPause(
  tx: Tx,
  { queue_id, pause_id, command_id }: PauseRef & { readonly command_id?: string },
): Promise<boolean> {
  const queue = await lockQueue(tx, { id: queue_id });
  if (queue.pause_id !== pause_id) return false;
  if (queue.pause_state === 'paused') return true;
  await clearPause(tx, queue_id);
  if (command_id !== undefined) undoCommand(tx, command_id);
  await settleQueueEvent(tx, pause_id, { state: 'failed', details: { failure: 'The engine could not be reached.' } });
  return false;
}

/** Records that somebody ends a pause before its time; a repetition changes nothing. @throws Problem `queue.not-paused` */
export async function acceptResume(
  tx: Tx,
  { queue_id, pause_id, resume_id, reason }: PauseRef & { readonly resume_id: string; readonly reason: string | null },
  consumeProof: () => Promise<void>,
): Promise<void> {
  const queue = await lockQueue(tx, { id: queue_id });
  if (queue.pause_id !== pause_id) {
    throw new Problem({ code: 'queue.not-paused', detail: 'The pause is over already.' });
  }
  const known = await tx.sql.selectFrom('admin_queue_events').where('id', '=', resume_id).select('id').executeTakeFirst();
  if (known !== undefined) return;
  await consumeProof();
  putRefresh(tx, resume_id, 'queue-pause-refresh', { queue_id, pause_id });
  await openQueueEvent(tx, { id: resume_id, queue_id, kind: 'resume', reason, details: { pause_id } });
}

/** Records, once, that the engine has resumed the queue, whether somebody asked for it or the time was over. */
export async function endPause(tx: Tx, { queue_id, pause_id }: PauseRef): Promise<void> {
  const queue = await lockQueue(tx, { id: queue_id });
  if (queue.pause_id !== pause_id) return;
  await clearPause(tx, queue_id);
  await settleQueueEvent(tx, pause_id, { state: 'done' });
  const requested = await tx.sql
    .selectFrom('admin_queue_events')
    .where('queue_id', '=', queue_id)
    .where('kind', '=', 'resume')
    .where('state', '=', 'requested')
    .select('id')
    .execute();
  for (const { id } of requested) await settleQueueEvent(tx, id, { state: 'done' });
  if (requested.length > 0) return;
  await openQueueEvent(tx, { queue_id, kind: 'resume', state: 'done', reason: 'The pause is over.', details: { pause_id } });
}

const touched = { updated_at: sql<string>`now()`, version: nextVersion() };

async function clearPause(tx: Tx, queueId: string): Promise<void> {
  await tx.sql
    .updateTable('admin_queues')
    .set({
      ...touched,
      pause_id: null,
      pause_state: null,
      pause_reason: null,
      paused_by: null,
      paused_at: null,
      paused_until: null,
    })
    .where('id', '=', queueId)
    .execute();
}
