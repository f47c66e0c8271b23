import { Context } from '@temporalio/activity';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import type { ChainReport } from '../../domain/audit/audit-chain.ts';
import { platformChainId, tenantOfChain } from '../../domain/audit/audit-entry.ts';
import { compareDecisions } from '../../domain/audit/audit-retention.ts';
import type { VerificationOutcome } from '../../domain/audit/audit-retention.ts';
import type { Notification } from '../../domain/notification/notification.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { publishedNotes } from '../../services/audit/checkpoint-file.ts';
import { createCheckpointSigner, originOfChain } from '../../services/audit/signed-note.ts';
import { verifyChain } from '../../services/audit/audit-chain-verification.service.ts';
import { witnessedNotes } from '../../services/audit/audit-witness.service.ts';
import { parseKeyList } from '../../platform/security/keyring.ts';
import { read } from '../../platform/database/read.ts';
import { recordVerification } from '../../services/audit/audit-verification.repository.ts';
import type { DecisionComparison } from '../../services/audit/audit-verification.repository.ts';
import type { AuditVerificationActivities, AuditVerificationInput } from '../../workflows/audit/audit-verification.contract.ts';
import { chainsAfter } from './audit-chains.ts';
import { approvalWorkflowsSince, decisionsInAudit, decisionsInHistory } from '../../services/audit/approval-history.client.ts';
import type { ActivityDeps } from '../deps.ts';
import { createNotify } from '../../services/notification/notification-delivery.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'log' | 'temporal'>;

/** Chains in one answer to the workflow. */
const pageSize = 100;
/** Well within the workflow's heartbeat timeout. */
const heartbeatMs = 3_000;
/** How much further back the other side is searched for a decision at the edge of the span. */
const edgeMs = 3_600_000;

/** Activities used by the audit verification workflow. */
export function createAuditVerificationActivities(deps: Deps): AuditVerificationActivities {
  const { db, env, log } = deps;
  const signer = createCheckpointSigner(parseKeyList(env.AUDIT_SIGNING_KEYS, 'AUDIT_SIGNING_KEYS'));
  const notify = createNotify(deps);

  return {
    async listAuditChains(after) {
      const chain_ids = await chainsAfter({ db }, after, pageSize);
      return { chain_ids, next_after: chain_ids.length < pageSize ? null : (chain_ids.at(-1) ?? null) };
    },

    async verifyAuditChain({ chain_id, ...input }) {
      const startedAt = performance.now();
      const context = Context.current();
      const beat = setInterval(context.heartbeat, heartbeatMs);
      try {
        const report = await verifyChain(env.DATABASE_URL, chain_id, {
          verifiers: signer.verifiers(originOfChain(chain_id)),
          notes: await notesOutside(env, chain_id),
          columns: true,
        });
        const comparison = await compareWithTemporal(deps, chain_id, input);
        const outcome = outcomeOf(report, comparison);
        const workflow_id = context.info.workflowExecution?.workflowId ?? '';
        await recordVerification(db, { report, comparison, outcome, workflow_id, duration_ms: performance.now() - startedAt });
        if (outcome !== 'intact') {
          const { first_bad_seq, findings } = report;
          log.error({ chain_id, outcome, first_bad_seq, findings, differences: comparison.differences }, 'the audit does not verify');
          await notify(systemActor(tenantOfChain(chain_id) ?? defaultTenantId), noticeOf(report, comparison), []);
        }
        return { chain_id, outcome };
      } finally {
        clearInterval(beat);
      }
    },
  };
}

/** Checkpoints from where nobody who can write the database can write. */
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
  { compare_back_ms, settle_ms }: AuditVerificationInput,
): Promise<DecisionComparison> {
  // Requests belong to tenants; the platform's own chain has none.
  if (chainId === platformChainId) return { compared: 0, gone: 0, differences: [] };
  const { client } = deps.temporal;
  // What was archived and dropped is not missing, it is only not here.
  const from_ms = Math.max(Date.now() - compare_back_ms, await droppedUntil(deps, chainId));
  const span = { from_ms, to_ms: Date.now() - settle_ms };
  const audit = await decisionsInAudit(deps, chainId, new Date(span.from_ms - edgeMs));
  const alive = await approvalWorkflowsSince(deps.temporal, chainId, new Date(span.from_ms));
  const gone = new Set<string>();
  const temporal = [];
  for (const workflowId of new Set([...alive, ...audit.map(({ workflow_id }) => workflow_id)])) {
    Context.current().cancellationSignal.throwIfAborted();
    const decisions = await decisionsInHistory(client, workflowId);
    if (decisions === null) gone.add(workflowId);
    else temporal.push(...decisions);
  }
  const comparable = audit.filter(({ workflow_id }) => !gone.has(workflow_id));
  return { compared: temporal.length, gone: gone.size, differences: compareDecisions(comparable, temporal, span) };
}

/** Recording time of the last row that was dropped, in milliseconds; 0 when none was. */
async function droppedUntil({ db }: Pick<Deps, 'db'>, chainId: string): Promise<number> {
  const [segment] = await read(
    db,
    { tenant_id: chainId, user_id: null },
    kysely
      .selectFrom('audit_segments')
      .where('chain_id', '=', chainId)
      .orderBy('to_seq', 'desc')
      .limit(1)
      .select('recorded_until'),
  );
  return segment === undefined ? 0 : Date.parse(segment.recorded_until) + 1;
}

function outcomeOf(report: ChainReport, { differences }: DecisionComparison): VerificationOutcome {
  if (!report.valid) return 'damaged';
  return differences.length > 0 ? 'decisions_differ' : 'intact';
}

function noticeOf({ chain_id, valid, first_bad_seq }: ChainReport, { differences }: DecisionComparison): Notification {
  if (!valid) {
    return {
      event: 'audit.chain-damaged',
      event_key: `audit/${chain_id}/damaged/${first_bad_seq}`,
      subject: `The audit log does not verify from entry ${first_bad_seq} on`,
      text:
        `The entries of audit chain ${chain_id} from number ${first_bad_seq} on are not those that were written. ` +
        'What to do stands in docs/runbooks/audit-mismatch.md.',
      data: { chain_id, first_bad_seq },
    };
  }
  const [first] = differences;
  return {
    event: 'audit.decisions-differ',
    event_key: `audit/${chain_id}/differs/${first?.workflow_id}/${first?.verdict}/${first?.missing_in}`,
    subject: `${differences.length} decisions are not both in the audit log and in Temporal`,
    text:
      `The first is '${first?.verdict}' in workflow ${first?.workflow_id}: it is missing in ${first?.missing_in}. ` +
      'What to do stands in docs/runbooks/audit-mismatch.md.',
    data: { chain_id, differences: differences.length, workflow_id: first?.workflow_id ?? null },
  };
}
