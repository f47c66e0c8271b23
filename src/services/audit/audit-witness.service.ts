import { existsSync } from 'node:fs';
import { link, mkdir, open, readFile, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { systemActor } from '../../domain/shared/actor.ts';
import { notifierOf } from '../../domain/audit/audit-notification.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import type { WitnessKind } from '../../domain/audit/audit-retention.ts';
import { allChains } from './audit-chain.queries.ts';
import { latestCheckpoint } from './audit-checkpoint.queries.ts';
import type { Checkpoint } from './audit-checkpoint.queries.ts';
import type { CheckpointSigner } from './signed-note.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Env } from '../../platform/env.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Notify } from '../notification/notification-delivery.client.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import { rawQuery } from '../../platform/database/raw-sql.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { sendWebhook } from '../../platform/outbound/webhook.ts';

/**
 * A system outside the database that keeps checkpoints, so that a chain which was cut off, deleted or rewritten as a
 * whole is detected.
 */
export interface Witness {
  readonly kind: WitnessKind;
  /** Delivers one checkpoint; safe to repeat. @returns why it failed, or null */
  deliver(checkpoint: Checkpoint, signal: AbortSignal): Promise<string | null>;
}

type WitnessSettings = Pick<Env, 'AUDIT_WITNESS_URL' | 'AUDIT_WITNESS_SECRET' | 'AUDIT_WITNESS_DIR'>;

/** The configured witnesses; there may be none. */
export function witnessesOf(env: WitnessSettings, outbound: OutboundHttp): Witness[] {
  const { AUDIT_WITNESS_URL: url, AUDIT_WITNESS_SECRET: secret, AUDIT_WITNESS_DIR: folder } = env;
  return [
    ...(folder === undefined ? [] : [folderWitness(folder)]),
    ...(url === undefined || secret === undefined ? [] : [webhookWitness(outbound, url, secret)]),
  ];
}

/** Chains whose newest checkpoint a witness lacks, by id, a page at a time. */
export async function chainsWithoutWitness(
  db: Pick<Database, 'readPool'>,
  kind: WitnessKind,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const text = 'select chain_id from audit_witness_due($1, $2, $3)';
  const due = rawQuery<{ chain_id: string }>(text, [kind, after, limit]);
  return (await read(db, allChains, due)).map(({ chain_id }) => chain_id);
}

/** The result of delivering a chain's newest checkpoint. */
interface WitnessDelivery {
  readonly chain_id: string;
  readonly witness: WitnessKind;
  readonly size: number;
  /** Null when delivered. */
  readonly error: string | null;
  /** Attempts with this checkpoint, this one included. */
  readonly attempts: number;
}

/**
 * Delivers the newest checkpoint of a chain to a witness and records the outcome. Only the newest one matters, because
 * it covers all before it: a witness that was unavailable for a day needs one note only.
 *
 * @returns null when the chain has no checkpoint, or one that nobody has signed: such a one does not leave the database
 */
export async function deliverToWitness(
  db: Database,
  signer: CheckpointSigner,
  witness: Witness,
  chainId: string,
  signal: AbortSignal,
): Promise<WitnessDelivery | null> {
  const checkpoint = await latestCheckpoint(db, chainId);
  if (checkpoint === null || !signer.hasSigned(chainId, checkpoint.note)) return null;
  const { size } = checkpoint;
  const error = await witness.deliver(checkpoint, signal);
  const attempts = await unitOfWork(db, systemActor(chainId), async (tx) => {
    const { rows } = await sql<{ attempts: number }>`
      insert into audit_witness_deliveries as d (chain_id, witness, size, status, error, delivered_at)
      values (${chainId}, ${witness.kind}, ${size}, ${error === null ? 'delivered' : 'failed'}, ${error?.slice(0, 500) ?? null},
        case when ${error === null} then now() end)
      on conflict (chain_id, witness, size) do update
        set status = excluded.status, error = excluded.error, delivered_at = excluded.delivered_at, attempts = d.attempts + 1
        where d.status <> 'delivered'
      returning attempts`.execute(tx.sql);
    return rows[0]?.attempts ?? 1;
  });
  return { chain_id: chainId, witness: witness.kind, size, error, attempts };
}

/** Attempts with one checkpoint, a minute apart, after which people are notified. */
const attemptsUntilNotified = 10;

/** Logs that a witness did not accept a checkpoint, and notifies people when it has failed for some minutes. */
export async function reportFailedDelivery(
  { log, notify }: Pick<ProcessDeps, 'log'> & { readonly notify: Notify },
  delivery: WitnessDelivery,
): Promise<void> {
  log.warn({ ...delivery }, 'a witness did not accept a checkpoint');
  if (delivery.attempts !== attemptsUntilNotified) return;
  await notify(notifierOf(delivery.chain_id), notificationOf(delivery), []);
}

function notificationOf({ chain_id, witness, size, error, attempts }: WitnessDelivery): Notification {
  return {
    event: 'audit.witness-behind',
    event_key: `audit/${chain_id}/witness/${witness}/${size}`,
    subject: `The ${witness} witness has not taken an audit checkpoint for ${attempts} minutes`,
    text:
      `The checkpoint of ${size} entries of audit chain ${chain_id} was offered ${attempts} times. ` +
      `The last answer: ${error ?? 'none'}. Entries written since then could be cut off unseen.`,
    data: { chain_id, witness, size },
  };
}

/** The file of one checkpoint. It is never changed again, as object stores with a retention lock require. */
export function witnessFile(folder: string, chainId: string, size: number): string {
  return join(folder, chainId, `${String(size).padStart(16, '0')}.checkpoint`);
}

function folderWitness(folder: string): Witness {
  return {
    kind: 'folder',
    deliver: async ({ chain_id, size, note }) => {
      const path = witnessFile(folder, chain_id, size);
      const draft = `${path}.${process.pid}.tmp`;
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeSynced(draft, note);
        await linkOnce(draft, path);
        return (await readFile(path, 'utf8')) === note ? null : `${path} holds another checkpoint of this size.`;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      } finally {
        await rm(draft, { force: true });
      }
    },
  };
}

/** The newest notes that a folder witness holds of a chain, oldest first; none when it holds none. */
export async function witnessedNotes(folder: string, chainId: string): Promise<string[]> {
  const path = join(folder, chainId);
  if (!existsSync(path)) return [];
  const files = (await readdir(path)).filter((name) => name.endsWith('.checkpoint')).toSorted();
  return Promise.all(files.slice(-maxReadNotes).map((name) => readFile(join(path, name), 'utf8')));
}

/** Every checkpoint covers all rows before it, so the newest ones are enough. */
const maxReadNotes = 500;

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives the complete draft its final name, so that a crash leaves no partial note under it. An existing file stays. */
async function linkOnce(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
  } catch (error) {
    const isThere = typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST';
    if (!isThere) throw error;
  }
}

function webhookWitness(outbound: OutboundHttp, url: string, secret: string): Witness {
  return {
    kind: 'webhook',
    deliver: async ({ chain_id, size, note, created_at }, signal) => {
      const message = {
        id: `audit-checkpoint/${chain_id}/${size}`,
        type: 'audit.checkpoint',
        timestamp: created_at,
        data: { chain_id, size, note },
      };
      const outcome = await sendWebhook(outbound, { url, secrets: [secret], signal }, message);
      switch (outcome.kind) {
        case 'delivered':
          return null;
        case 'gone':
          return 'The witness answered 410.';
        case 'refused':
        case 'failed':
          return outcome.reason;
      }
    },
  };
}
