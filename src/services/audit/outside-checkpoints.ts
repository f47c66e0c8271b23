import type { AnchorSource } from '../../domain/audit/audit-retention.ts';
import type { Env } from '../../platform/env.ts';
import { witnessedNotes } from './audit-witness.service.ts';
import { publishedNotes } from './checkpoint-file.ts';

/** The places outside the database that this process can read; there may be none. */
export type OutsidePlaces = Pick<Env, 'AUDIT_CHECKPOINT_DIR' | 'AUDIT_WITNESS_DIR'>;

/** A signed note, and where it was read. */
export interface OutsideNote {
  readonly source: AnchorSource;
  /** C2SP tlog-checkpoint; its signature is not checked yet. */
  readonly note: string;
}

/**
 * The newest checkpoints of a chain from places that the database's writers cannot write to. Whether a chain was cut off or
 * rewritten as a whole can be seen by these alone.
 */
export async function outsideNotes(places: OutsidePlaces, chainId: string): Promise<OutsideNote[]> {
  const { AUDIT_CHECKPOINT_DIR: file, AUDIT_WITNESS_DIR: folder } = places;
  const [published, witnessed] = await Promise.all([
    file === undefined ? [] : publishedNotes(file, chainId),
    folder === undefined ? [] : witnessedNotes(folder, chainId),
  ]);
  return [
    ...published.map((note) => ({ source: 'checkpoints' as const, note })),
    ...witnessed.map((note) => ({ source: 'folder' as const, note })),
  ];
}
