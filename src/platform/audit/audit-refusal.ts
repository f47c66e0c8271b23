import type { Actor } from '../../domain/shared/actor.ts';
import type { AuditEntry } from './audit-append.ts';
import type { Database } from '../database/database.ts';
import { unitOfWork } from '../database/unit-of-work.ts';

/**
 * Records a refused attempt in a transaction of its own: that of the refused change was not begun, or was rolled back.
 */
export async function auditRefusal(
  db: Pick<Database, 'orm' | 'personKeys'>,
  actor: Actor,
  entry: Omit<AuditEntry, 'outcome'>,
): Promise<void> {
  await unitOfWork(db, actor, async (tx) => tx.audit({ ...entry, outcome: 'refused' }));
}
