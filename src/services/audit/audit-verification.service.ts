import type { ChainReport } from '../../domain/audit/audit-chain.ts';
import { platformChainId } from '../../domain/audit/audit-entry.ts';
import { chainDamaged, notifierOf } from '../../domain/audit/audit-notification.ts';
import { compareDecisions } from '../../domain/audit/audit-retention.ts';
import type { VerificationOutcome } from '../../domain/audit/audit-retention.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import type { UnitOfWork } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Notify } from '../notification/notification-delivery.client.ts';
import { approvalWorkflowsSince, decisionsInHistory } from './approval-history.client.ts';
import { droppedEnd } from './audit-chain.queries.ts';
import { verifyChain } from './audit-chain-verification.service.ts';
import { decisionsInAudit } from './audit-decision.queries.ts';
import { signerOf } from './audit-proof.service.ts';
import { recordVerification } from './audit-verification.repository.ts';
import type { DecisionComparison } from './audit-verification.repository.ts';
import { witnessedNotes } from './audit-witness.service.ts';
import { publishedNotes } from './checkpoint-file.ts';
import { originOfChain } from './signed-note.ts';
import type { CheckpointSigner } from './signed-note.ts';

type Deps = Pick<ProcessDeps, 'db' | 'env' | 'log' | 'temporal'> & {
  readonly signer: CheckpointSigner;
  readonly notify: Notify;
};

/** How much further back the other side is searched for a decision at the edge of the span. */
const edgeMs = 3_600_000;

/** Which span of time decisions are compared in, in milliseconds before now. */
interface ComparedSpan {
  readonly compare_back_ms: number;
  /** What is younger is left to the next verification: one side may still be writing it. */
  readonly settle_ms: number;
}

/**
 * Verifies a chain from its first row, compares the decisions in it with Temporal's histories, records what was found
 * and notifies people of what is wrong.
 *
 * @param workflowId of the workflow that asks for it; recorded with the result
 * @throws the signal's reason when it is aborted between two histories
 */
export async function verifyAndCompareChain(
  deps: Deps,
  chainId: string,
  span: ComparedSpan,
  { workflowId, signal }: { readonly workflowId: string; readonly signal: AbortSignal },
): Promise<VerificationOutcome> {
  const startedAt = performance.now();
  const { env, log, notify, signer } = deps;
  const report = await verifyChain(env.DATABASE_URL, chainId, {
    verifiers: signer.verifiers(originOfChain(chainId)),
    notes: await notesOutside(env, chainId),
    columns: true,
  });
  const comparison = await compareWithTemporal(deps, chainId, span, signal);
  const outcome = outcomeOf(report, comparison);
  const duration_ms = performance.now() - startedAt;
  await recordVerification(deps.db, { report, comparison, outcome, workflow_id: workflowId, duration_ms });
  if (outcome !== 'intact') {
    const { first_bad_seq, findings } = report;
    const { differences } = comparison;
    log.error({ chain_id: chainId, outcome, first_bad_seq, findings, differences }, 'the audit does not verify');
    await notify(notifierOf(chainId), notificationOf(report, comparison), []);
  }
  return outcome;
}

/** Chains that this process verifies on request: each once at a time, because it takes seconds of processor time. */
const requested = new Set<string>();

/**
 * Verifies a chain from its first row at somebody's request, which is audited.
 *
 * @throws Problem `request.rate-limited` while the chain is being verified.
 */
export async function verifyOnRequest(
  { env }: Pick<Deps, 'env'>,
  unitOfWork: UnitOfWork,
  chainId: string,
): Promise<ChainReport & { readonly duration_ms: number }> {
  if (requested.has(chainId)) {
    const detail = 'This chain is being verified already.';
    throw new Problem({ code: 'request.rate-limited', detail, retryAfterSeconds: 10 });
  }
  requested.add(chainId);
  try {
    const startedAt = performance.now();
    const report = await verifyChain(env.DATABASE_URL, chainId, {
      verifiers: signerOf({ env }).verifiers(originOfChain(chainId)),
      notes: env.AUDIT_CHECKPOINT_DIR === undefined ? [] : await publishedNotes(env.AUDIT_CHECKPOINT_DIR, chainId),
      columns: true,
    });
    const { valid, size, first_bad_seq } = report;
    await unitOfWork(async (tx) => {
      const resource = { resource_type: 'audit_log', resource_id: chainId };
      tx.audit({ event: 'audit.verify', action: 'read', ...resource, new_values: { valid, size, first_bad_seq } });
    });
    return { ...report, duration_ms: Math.round(performance.now() - startedAt) };
  } finally {
    requested.delete(chainId);
  }
}

/** Checkpoints from places that the database's writers cannot write to. */
async function notesOutside(env: Deps['env'], chainId: string): Promise<string[]> {
  const { AUDIT_CHECKPOINT_DIR, AUDIT_WITNESS_DIR } = env;
  return [
    ...(AUDIT_CHECKPOINT_DIR === undefined ? [] : await publishedNotes(AUDIT_CHECKPOINT_DIR, chainId)),
    ...(AUDIT_WITNESS_DIR === undefined ? [] : await witnessedNotes(AUDIT_WITNESS_DIR, chainId)),
  ];
}

async function compareWithTemporal(
  deps: Pick<Deps, 'db' | 'temporal'>,
  chainId: string,
  { compare_back_ms, settle_ms }: ComparedSpan,
  signal: AbortSignal,
): Promise<DecisionComparison> {
  // Requests belong to tenants; the platform's own chain has none.
  if (chainId === platformChainId) return { compared: 0, gone: 0, differences: [] };
  const dropped = await droppedEnd(deps.db, chainId);
  // Entries that were archived and dropped are not missing.
  const keptSince = dropped === null ? 0 : Date.parse(dropped.recorded_until) + 1;
  const span = { from_ms: Math.max(Date.now() - compare_back_ms, keptSince), to_ms: Date.now() - settle_ms };
  const audit = await decisionsInAudit(deps.db, chainId, new Date(span.from_ms - edgeMs));
  const recent = await approvalWorkflowsSince(deps, chainId, new Date(span.from_ms));
  const gone = new Set<string>();
  const temporal = [];
  for (const workflowId of new Set([...recent, ...audit.map(({ workflow_id }) => workflow_id)])) {
    signal.throwIfAborted();
    const decisions = await decisionsInHistory(deps, workflowId);
    if (decisions === null) gone.add(workflowId);
    else temporal.push(...decisions);
  }
  const comparable = audit.filter(({ workflow_id }) => !gone.has(workflow_id));
  return { compared: temporal.length, gone: gone.size, differences: compareDecisions(comparable, temporal, span) };
}

function outcomeOf(report: ChainReport, { differences }: DecisionComparison): VerificationOutcome {
  if (!report.valid) return 'damaged';
  return differences.length > 0 ? 'decisions_differ' : 'intact';
}

const advice = 'What to do stands in docs/runbooks/audit-mismatch.md.';

function notificationOf(report: ChainReport, { differences }: DecisionComparison): Notification {
  if (!report.valid) return chainDamaged(report, advice);
  const { chain_id } = report;
  const [first] = differences;
  return {
    event: 'audit.decisions-differ',
    event_key: `audit/${chain_id}/differs/${first?.workflow_id}/${first?.verdict}/${first?.missing_in}`,
    subject: `${differences.length} decisions are not both in the audit log and in Temporal`,
    text:
      `The first is '${first?.verdict}' in workflow ${first?.workflow_id}: it is missing in ${first?.missing_in}. ` +
      advice,
    data: { chain_id, differences: differences.length, workflow_id: first?.workflow_id ?? null },
  };
}
