import type { AuditAction } from '../../../domain/audit/audit-entry.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';

/** How the names of all these events begin. */
export const dataRequestEvents = 'client-data-request.';

/** What happens to a request; each is the audit event `client-data-request.<name>`. */
const actions = {
  open: 'create',
  read: 'read',
  refuse: 'update',
  withdraw: 'update',
  remind: 'update',
  overdue: 'update',
  fulfil: 'update',
  erase: 'update',
  download: 'read',
} as const satisfies Record<string, AuditAction>;

interface Audited {
  readonly id: string;
  readonly client_id: string;
  readonly kind: string;
}

/**
 * Records what happened to a request. It is an entry about the client: it stands in their history, and what was written down of them
 * is sealed under their key. Only that a request was answered by an erasure is an entry about the request, because of a client whose
 * key is destroyed nothing can be kept.
 */
export function auditDataRequest(tx: Tx, happened: keyof typeof actions, { id, client_id, kind }: Audited, values: object = {}): void {
  const about =
    happened === 'erase'
      ? { resource_type: 'client_data_request', resource_id: id, new_values: { client_id, kind, ...values } }
      : { resource_type: 'client', resource_id: client_id, new_values: { request_id: id, kind, ...values } };
  tx.audit({ event: `${dataRequestEvents}${happened}`, action: actions[happened], ...about });
}

/** Records that somebody has read a list of requests, which names clients: one entry, with the count (S4-23). */
export function auditDataRequestList(tx: Tx, count: number): void {
  tx.audit({ event: `${dataRequestEvents}list`, action: 'read', resource_type: 'client_data_request', resource_id: null, new_values: { count } });
}
