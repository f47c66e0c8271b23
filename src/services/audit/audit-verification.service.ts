import type { ChainReport } from '../../domain/audit/audit-chain.ts';
import { platformChainId } from '../../domain/audit/audit-entry.ts';
import { chainDamaged, notifierOf } from '../../domain/audit/audit-notification.ts';
import { compareDecisions } from '../../domain/audit/audit-retention.ts';
import type { VerificationOutcome } from '../../domain/audit/audit-retention.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { UnitOfWork } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Notify } from '../notification/notification-delivery.client.ts';
import { approvalWorkflowsSince, decisionsInHistory } from './approval-history.client.ts';
import { droppedEnd } from './audit-chain.queries.ts';
import { verifyChain } from './audit-chain-verification.service.ts';
import type { StoredChainReport } from './audit-chain-verification.service.ts';
import { decisionsInAudit } from './audit-decision.queries.ts';
import { signerOf } from './audit-proof.service.ts';
import { notCompared, recordVerification } from './audit-verification.repository.ts';
import type { DecisionComparison } from './audit-verification.repository.ts';
import { outsideNotes } from './outside-checkpoints.ts';
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
  const report = await verifyWithOutside(env, signer, chainId);
  const comparison = await compareWithTemporal(deps, chainId, span, signal);
  const outcome = outcomeOf(report, comparison);
  const duration_ms = performance.now() - startedAt;
  await unitOfWork(deps.db, systemActor(chainId, { workflow_id: workflowId }), (tx) =>
    recordVerification(tx, { report, comparison, outcome, workflow_id: workflowId, duration_ms }),
  );
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
 * Verifies a chain from its first row at somebody's request, which is audited and recorded like a regular verification.
 * People are notified of damage however it is found.
 *
 * @throws Problem `request.rate-limited` while the chain is being verified.
 */
export async function verifyOnRequest(
  deps: Pick<Deps, 'env' | 'log' | 'notify'>,
  inUnitOfWork: UnitOfWork,
  chainId: string,
): Promise<StoredChainReport & { readonly duration_ms: number }> {
  const { env } = deps;
  if (requested.has(chainId)) {
    const detail = 'This chain is being verified already.';
    throw new Problem({ code: 'request.rate-limited', detail, retryAfterSeconds: 10 });
  }
  requested.add(chainId);
  try {
    const startedAt = performance.now();
    const report = await verifyWithOutside(env, signerOf({ env }), chainId);
    const duration_ms = Math.round(performance.now() - startedAt);
    const outcome = outcomeOf(report, notCompared);
    await inUnitOfWork((tx) => recordVerification(tx, { report, comparison: notCompared, outcome, workflow_id: null, duration_ms }));
    if (report.state === 'damaged') await tellOfDamage(deps, report);
    return { ...report, duration_ms };
  } finally {
    requested.delete(chainId);
  }
}

/** Verifies a chain against the checkpoints of all places outside that this process can read. */
async function verifyWithOutside(env: Deps['env'], signer: CheckpointSigner, chainId: string): Promise<StoredChainReport> {
  const notes = await outsideNotes(env, chainId);
  return verifyChain(env.DATABASE_URL, chainId, {
    verifiers: signer.verifiers(originOfChain(chainId)),
    notes: notes.map(({ note }) => note),
    columns: true,
  });
}

/** The answer must not wait for Temporal to be there: what was found is recorded, and found again by the next run. */
async function tellOfDamage({ log, notify }: Pick<Deps, 'log' | 'notify'>, report: ChainReport): Promise<void> {
  const { chain_id, first_bad_seq, findings } = report;
  log.error({ chain_id, first_bad_seq, findings }, 'the audit does not verify');
  try {
    await notify(notifierOf(chain_id), chainDamaged(report, advice), []);
  } catch (error) {
    log.warn({ err: error, chain_id }, 'people could not be notified of a damaged audit chain');
  }
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
  if (report.state === 'damaged') return 'damaged';
  return differences.length > 0 ? 'decisions_differ' : 'intact';
}

const advice = 'What to do stands in docs/runbooks/audit-mismatch.md.';

function notificationOf(report: ChainReport, { differences }: DecisionComparison): Notification {
  if (report.state === 'damaged') return chainDamaged(report, advice);
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
