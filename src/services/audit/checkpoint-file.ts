import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { notesSince } from './audit-checkpoint.queries.ts';
import { splitNotes } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';
import type { Database } from '../../platform/database/database.ts';

/** More than two notes, so that the end of a file always holds the last one completely. */
const tailBytes = 4_096;
/** A few thousand notes. Every checkpoint covers all rows before it, so the newest ones are enough. */
const maxReadBytes = 1_048_576;

/** The file with all checkpoints of a chain, one signed note after the other, oldest first. */
export function checkpointFile(folder: string, chainId: string): string {
  return join(folder, `${chainId}.checkpoints`);
}

/**
 * Appends the signed checkpoints to the chain's file that it lacks. By this file a truncated, deleted or rewritten
 * chain is detected, so the folder (`AUDIT_CHECKPOINT_DIR`) belongs on storage that the database's writers cannot
 * change. Safe to repeat; a crash leaves at most a partial note, which readers skip.
 *
 * @param signer only what its keys have signed leaves the database: the table can hold a note that nobody has signed
 */
export async function publishCheckpoints(
  db: Pick<Database, 'readPool'>,
  signer: CheckpointSigner,
  folder: string,
  chainId: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = await open(checkpointFile(folder, chainId), 'a+', 0o644);
  try {
    const notes = (await notesSince(db, chainId, await lastSizeIn(file))).filter((note) => signer.hasSigned(chainId, note));
    if (notes.length === 0) return;
    await file.appendFile(notes.map((note) => `\n${note}`).join(''));
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The newest of the notes in the chain's file, oldest first; none when there is no file. */
export async function publishedNotes(folder: string, chainId: string): Promise<string[]> {
  const path = checkpointFile(folder, chainId);
  if (!existsSync(path)) return [];
  const file = await open(path, 'r');
  try {
    return await notesAtEnd(file, maxReadBytes);
  } finally {
    await file.close();
  }
}

async function lastSizeIn(file: FileHandle): Promise<number> {
  const last = (await notesAtEnd(file, tailBytes)).at(-1);
  return last === undefined ? 0 : Number(last.split('\n')[1]);
}

async function notesAtEnd(file: FileHandle, maxBytes: number): Promise<string[]> {
  const { size } = await file.stat();
  const length = Math.min(size, maxBytes);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
  return splitNotes(buffer.toString('utf8'));
}
