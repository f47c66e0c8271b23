import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Records the assignment of a contact: the owner before, the owner now (null: it waits), and the method. */
export function auditAssigned(
  tx: Tx,
  change: {
    readonly contact_id: string;
    readonly from_user_id: string | null;
    readonly user_id: string | null;
    readonly campaign_id: string | null;
    readonly method: 'manual' | 'round_robin' | 'reassign' | 'queue';
  },
): void {
  const { contact_id, from_user_id, ...new_values } = change;
  tx.audit({
    event: change.method === 'queue' ? 'contact.queue' : 'contact.assign',
    action: 'update',
    resource_type: 'contact',
    resource_id: contact_id,
    old_values: { user_id: from_user_id },
    new_values,
  });
}
