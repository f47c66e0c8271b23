import { chainDamaged, notifierOf } from '../../domain/audit/audit-notification.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Notify } from '../notification/notification-delivery.client.ts';
import { BrokenChainError, takeCheckpoint } from './audit-checkpoint.service.ts';
import { publishCheckpoints } from './checkpoint-file.ts';
import { recordDamage } from './audit-verification.repository.ts';
import type { CheckpointSigner } from './signed-note.ts';

type Deps = Pick<ProcessDeps, 'db' | 'env' | 'log'> & { readonly signer: CheckpointSigner; readonly notify: Notify };

/**
 * Signs the present state of a chain and writes it to the chain's file outside the database. A chain that does not verify is
 * recorded, so that health shows it at once, and people are notified.
 *
 * @returns `failed` when it did not work this time: one chain must not keep the others from being signed.
 */
export async function signChain(deps: Deps, chainId: string): Promise<'sealed' | 'damaged' | 'failed'> {
  const { db, env, log, notify, signer } = deps;
  try {
    await takeCheckpoint(db, signer, chainId);
    if (env.AUDIT_CHECKPOINT_DIR !== undefined) await publishCheckpoints(db, signer, env.AUDIT_CHECKPOINT_DIR, chainId);
    return 'sealed';
  } catch (error) {
    if (!(error instanceof BrokenChainError)) {
      log.warn({ err: error, chain_id: chainId }, 'an audit chain could not be signed; the next run tries again');
      return 'failed';
    }
    const { chain_id, first_bad_seq, findings } = error.report;
    log.error({ chain_id, first_bad_seq, findings }, 'an audit chain does not verify');
    await recordDamage(db, error.report);
    const notification = chainDamaged(error.report, 'No checkpoint is signed until this is looked into.');
    await notify(notifierOf(chain_id), notification, []);
    return 'damaged';
  }
}
