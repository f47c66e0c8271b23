import type { Tx } from '../../platform/database/unit-of-work.ts';

/** Records that somebody has read a list of merges, which shows names: one entry, with the count (S4-23). */
export function auditMergeList(tx: Tx, count: number): void {
  tx.audit({ event: 'client-merge.list', action: 'read', resource_type: 'client_merge', resource_id: null, new_values: { count } });
}

/** Records that somebody has read a merge, which shows names. */
export function auditMergeRead(tx: Tx, id: string): void {
  tx.audit({ event: 'client-merge.read', action: 'read', resource_type: 'client_merge', resource_id: id });
}

/** Records that somebody has read the history of a client, with how many entries they saw. */
export function auditHistoryRead(tx: Tx, clientId: string, count: number): void {
  tx.audit({ event: 'client.read-history', action: 'read', resource_type: 'client', resource_id: clientId, new_values: { count } });
}
