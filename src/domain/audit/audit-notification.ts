import type { Notification } from '../notification/notification.ts';
import { defaultTenantId, systemActor } from '../shared/actor.ts';
import type { Actor } from '../shared/actor.ts';
import type { ChainReport } from './audit-chain.ts';
import { tenantOfChain } from './audit-entry.ts';

/** In whose name people are notified of a chain: its tenant's; for the platform's chain, the tenant that runs the platform. */
export function notifierOf(chainId: string): Actor {
  return systemActor(tenantOfChain(chainId) ?? defaultTenantId);
}

/**
 * What people are told about a chain that does not verify. However it was found, it is one event for each first entry.
 *
 * @param advice a sentence on what follows from it
 */
export function chainDamaged(
  { chain_id, first_bad_seq }: Pick<ChainReport, 'chain_id' | 'first_bad_seq'>,
  advice: string,
): Notification {
  return {
    event: 'audit.chain-damaged',
    event_key: `audit/${chain_id}/damaged/${first_bad_seq}`,
    subject: `The audit log does not verify from entry ${first_bad_seq} on`,
    text: `The entries of audit chain ${chain_id} from number ${first_bad_seq} on are not those that were written. ${advice}`,
    data: { chain_id, first_bad_seq },
  };
}
