import { toHex } from '../../domain/audit/audit-export.ts';
import { BrokenChainError, latestCheckpoint, takeCheckpoint } from './audit-checkpoint.service.ts';
import type { Checkpoint } from './audit-checkpoint.service.ts';
import { createCheckpointSigner, formatVerifier, originOfChain } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';
import { inclusionProof } from './audit-tree.queries.ts';
import { parseKeyList } from '../../platform/security/keyring.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type Deps = Pick<ProcessDeps, 'db' | 'env' | 'log'>;

/** The signer of `AUDIT_SIGNING_KEYS`. */
export function signerOf({ env }: Pick<ProcessDeps, 'env'>): CheckpointSigner {
  return createCheckpointSigner(parseKeyList(env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));
}

/** The public keys of a chain's checkpoints as verifier texts, the active one first. */
export function publicKeys(deps: Pick<ProcessDeps, 'env'>, chainId: string): string[] {
  return signerOf(deps).verifiers(originOfChain(chainId)).map(formatVerifier);
}

/**
 * A checkpoint that covers the rows up to `seq`: the newest one, or a new one where that ends before. A damaged chain is
 * not signed, so the newest one may end before it, and there may be none at all.
 */
export async function checkpointCovering(deps: Deps, chainId: string, seq: number): Promise<Checkpoint | null> {
  const latest = await latestCheckpoint(deps.db, chainId);
  if (latest !== null && latest.size >= seq) return latest;
  try {
    return await takeCheckpoint(deps.db, signerOf(deps), chainId);
  } catch (error) {
    if (!(error instanceof BrokenChainError)) throw error;
    deps.log.error({ chain_id: chainId, findings: error.report.findings }, 'an audit chain does not verify');
    return latest;
  }
}

/** Proof that a row is in the chain that was signed; null where no checkpoint covers it. */
export async function proofOf(deps: Deps, chainId: string, seq: number) {
  const checkpoint = await checkpointCovering(deps, chainId, seq);
  if (checkpoint === null || checkpoint.size < seq) return null;
  return {
    leaf_index: seq - 1,
    tree_size: checkpoint.size,
    hashes: (await inclusionProof(deps.db, chainId, seq, checkpoint.size)).map(toHex),
    checkpoint: checkpoint.note,
    public_keys: publicKeys(deps, chainId),
  };
}
