import { toHex } from '../../domain/audit/audit-export.ts';
import { BrokenChainError, takeCheckpoint } from './audit-checkpoint.service.ts';
import { createCheckpointSigner, formatVerifier, originOfChain } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';
import { consistencyProof, inclusionProof } from './audit-tree.queries.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { parseKeyList } from '../../platform/security/keyring.ts';
import { chainSize } from './audit-chain.queries.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { latestCheckpoint } from './audit-checkpoint.queries.ts';
import type { Checkpoint } from './audit-checkpoint.queries.ts';

type Deps = Pick<ProcessDeps, 'db' | 'env' | 'log'>;

/** The signer of `AUDIT_SIGNING_KEYS`. */
export function signerOf({ env }: Pick<ProcessDeps, 'env'>): CheckpointSigner {
  return createCheckpointSigner(parseKeyList(env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));
}

/** The public keys of a chain's checkpoints as verifier texts, the active one first. */
function publicKeys(deps: Pick<ProcessDeps, 'env'>, chainId: string): string[] {
  return signerOf(deps).verifiers(originOfChain(chainId)).map(formatVerifier);
}

/**
 * A checkpoint that covers the rows up to `seq`: the newest one, or a new one where that ends before. A damaged chain
 * is not signed, so the newest one may end before it, and there may be none at all.
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

/** The newest signed state of a chain with the keys that prove it, and its consistency with the one of `since` rows. */
export async function signedState(deps: Deps, chainId: string, since: number | undefined) {
  const checkpoint = await checkpointCovering(deps, chainId, await chainSize(deps.db, chainId));
  if (checkpoint === null) throw notFound('checkpoint');
  const { size, root_hash, note, created_at } = checkpoint;
  if (since !== undefined) assertNoLarger(since, size);
  const hashes = since === undefined ? null : await consistencyProof(deps.db, chainId, since, size);
  return {
    chain_id: chainId,
    size,
    root_hash: toHex(root_hash),
    note,
    created_at,
    public_keys: publicKeys(deps, chainId),
    consistency_proof: hashes === null ? null : { first: since, hashes: hashes.map(toHex) },
  };
}

/** The problem of a chain that was damaged before it was ever signed. */
export function neverSigned(): Problem {
  return new Problem({
    code: 'audit.chain-damaged',
    detail: 'The chain does not verify and was never signed, so nothing in it can be proved. See /admin/audit-logs/verify.',
  });
}

/** @throws Problem `request.invalid` for an earlier checkpoint that has more rows than the newest. */
export function assertNoLarger(earlier: number, size: number): void {
  if (earlier <= size) return;
  throw new Problem({ code: 'request.invalid', detail: `The chain has ${size} entries; an earlier checkpoint has fewer.` });
}

/** Proof that a row is in the chain that was signed; null where no checkpoint covers it. */
export async function inclusionProofOf(deps: Deps, chainId: string, seq: number) {
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
