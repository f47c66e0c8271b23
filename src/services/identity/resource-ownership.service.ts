import type { Tx } from '../../platform/database/unit-of-work.ts';
import { countClientsOf, transferClients } from '../client-record/index.ts';

/** A kind of resource that must not be left without an owner when a person is deleted (S2-72, S4-28). */
interface OwnedKind {
  /** As the 409 names it, e.g. `service_token`. */
  readonly resource: string;
  /** How many active ones the person owns. */
  readonly count: (tx: Tx, userId: string) => Promise<number>;
  /** Makes another person the owner, and audits it. */
  readonly transfer: (tx: Tx, from: string, to: string) => Promise<void>;
}

const serviceTokens: OwnedKind = {
  resource: 'service_token',
  count: async (tx, userId) => {
    const rows = await tx.sql
      .selectFrom('service_tokens')
      .where('created_by', '=', userId)
      .where('revoked_at', 'is', null)
      .select('id')
      .execute();
    return rows.length;
  },
  transfer: async (tx, from, to) => {
    const moved = await tx.sql
      .updateTable('service_tokens')
      .set({ created_by: to })
      .where('created_by', '=', from)
      .where('revoked_at', 'is', null)
      .returning('id')
      .execute();
    for (const { id } of moved) {
      tx.audit({
        event: 'service-token.transfer',
        action: 'update',
        resource_type: 'service_token',
        resource_id: id,
        old_values: { owner: from },
        new_values: { owner: to },
      });
    }
  },
};

const clients: OwnedKind = { resource: 'client', count: countClientsOf, transfer: transferClients };

/** Every kind. A feature whose resources need an owner adds its own here. */
export const ownedKinds: readonly OwnedKind[] = [serviceTokens, clients];
