import type { Actor } from '../../domain/shared/actor.ts';
import type { AuditEntry } from './audit-append.ts';
import type { Database } from '../database/database.ts';
import { unitOfWork } from '../database/unit-of-work.ts';

/**
 * Records an attempt that the rules refused, in a transaction of its own: the refused change has none, or has rolled
 * back.
 */
export async function auditRefusal(
  db: Pick<Database, 'orm' | 'personKeys'>,
  actor: Actor,
  entry: Omit<AuditEntry, 'outcome'>,
): Promise<void> {
  await unitOfWork(db, actor, async (tx) => tx.audit({ ...entry, outcome: 'refused' }));
}
