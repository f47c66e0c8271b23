import type { Actor } from '../../domain/shared/actor.ts';
import { setLockTimeout } from './lock-timeout.ts';
import { unitOfWork } from './unit-of-work.ts';
import type { Tx, UnitOfWorkDatabase } from './unit-of-work.ts';

/** Ends a transaction that is only tried. */
class Rehearsed<Result> extends Error {
  override readonly name = 'Rehearsed';
  readonly result: Result;

  constructor(result: Result) {
    super('The transaction was only tried.');
    this.result = result;
  }
}

/** Longest wait for what somebody else has locked: what is only tried must not keep anybody waiting. */
const lockTimeoutMs = 500;

/**
 * Runs a unit of work and rolls it back, so that its caller learns why it would be refused and nothing is kept: no change, no
 * audit entry, nothing that follows a commit.
 *
 * @throws whatever the work throws; `isLockTimeout` where it would have had to wait for somebody else.
 */
export async function rehearsal<Result>(
  db: UnitOfWorkDatabase,
  actor: Actor,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  try {
    return await unitOfWork<never>(db, actor, async (tx) => {
      setLockTimeout(tx, lockTimeoutMs);
      const result = await work(tx);
      await tx.flush();
      throw new Rehearsed(result);
    });
  } catch (error) {
    if (error instanceof Rehearsed) return error.result as Result;
    throw error;
  }
}
