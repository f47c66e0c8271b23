import type { Actor } from '../../domain/shared/actor.ts';
import type { AuditEntry } from './audit-append.ts';
import { unitOfWork } from '../database/unit-of-work.ts';
import type { UnitOfWorkDatabase } from '../database/unit-of-work.ts';

/**
 * Records a refused attempt in a transaction of its own: that of the refused change was not begun, or was rolled back.
 */
export async function auditRefusal(
  db: UnitOfWorkDatabase,
  actor: Actor,
  entry: Omit<AuditEntry, 'outcome'>,
): Promise<void> {
  await unitOfWork(db, actor, async (tx) => tx.audit({ ...entry, outcome: 'refused' }));
}
