import { sql } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { authorsOf, requesterNotEntitled, tiedVotes } from '../../domain/approval/approval-independence.ts';
import { independenceDaysOf } from '../../domain/approval/gate-strength.ts';
import { applyCommand } from '../../domain/approval/approval.ts';
import type { Approval } from '../../domain/approval/approval.ts';
import { isEligible } from '../../domain/approval/approval-policy.ts';
import { isJsonObject } from '../../domain/shared/canonical.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { AfterCommitDeps, PreparedAction } from '../actions/action.ts';
import { independenceOf } from '../identity/account-act/account-act.queries.ts';
import { lockRights } from '../identity/role/effective-rights.service.ts';
import { prepareStored } from '../actions/registry.ts';
import { runAction } from '../actions/run-action.ts';
import { assertNotStale } from './approval-staleness.service.ts';
import { rightsOfRows, rightsQuery } from './eligible-people.queries.ts';
import type { PersonRights } from './eligible-people.queries.ts';
import type { Database } from '../../platform/database/database.ts';
import { read } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem } from '../../platform/problem.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { AuditEntry } from '../../platform/audit/audit-append.ts';
import type { InvalidationEvent } from '../../platform/database/invalidation.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { ApprovalRecord, ExecuteApproval } from '../../workflows/approval/approval.contract.ts';
import { loadChange, openPayload } from './approval-payload.repository.ts';
import { executedChangeQuery } from './approval.queries.ts';
import { lockApproval, recordOf, saveTransition, voidDecisions } from './approval.repository.ts';
import type { StoredApproval } from './approval.repository.ts';
import { mayStillAsk } from './people-facts.queries.ts';

type ExecutionDeps = AfterCommitDeps & Pick<ProcessDeps, 'keyring'>;

/** The change of an executed request with its result. */
interface ExecutedChange {
  readonly prepared: PreparedAction;
  readonly result: JsonObject;
}

/**
 * Makes an approved change exactly once: one transaction locks the request, checks its state, its payload and the rights
 * of everybody who approved it again, runs the action and marks the request executed. A repetition finds it executed; a
 * kill before the commit leaves nothing. After the commit every run starts what follows the change, so a repetition
 * completes what a kill has interrupted.
 *
 * @returns the request as it is now: executed, failed (the action refused), back in review (an approver has lost the
 *   right), or as an edit or a cancellation has left it meanwhile.
 */
export async function executeApproval(
  deps: ExecutionDeps,
  requester: Actor,
  input: ExecuteApproval,
): Promise<ApprovalRecord> {
  // Made in the requester's name, but not by the requester: the audit log distinguishes the two.
  const actor: Actor = { ...requester, kind: 'system' };
  const { stored, executed } = await unitOfWork(deps.db, actor, (tx) => executeOn(tx, deps.keyring, input));
  if (stored.approval.status === 'executed') {
    const change = executed ?? (await findExecuted(deps, actor, input.approval_id));
    await change?.prepared.afterCommit(deps, {
      actor: input.actor,
      result: change.result,
      change_id: input.approval_id,
      isRepetition: executed === null,
    });
  }
  return recordOf(stored);
}

/** The transaction of {@link executeApproval}; `executed` is the change when this run has made it. */
async function executeOn(
  tx: Tx,
  keyring: Keyring,
  input: ExecuteApproval,
): Promise<{ readonly stored: StoredApproval; readonly executed: ExecutedChange | null }> {
  const stored = await lockApproval(tx, input.approval_id);
  if (!isFor(stored.approval, input)) return { stored, executed: null };
  const people = await rightsNow(tx, stored.approval);
  if (!mayStillAsk(stored.row.action, people.get(stored.row.requested_by))) return { stored: await fail(tx, stored, requesterNotEntitled), executed: null };
  const lost = lostRights(people, stored.approval);
  const tied = tiedVotes(stored.approval, await independenceOf(tx, tx.actor, peopleOf(stored.approval)));
  if (lost.length + tied.length > 0) return { stored: await returnToReview(tx, stored, { lost, tied }), executed: null };
  try {
    const executed = await attempt(tx, (inner) => runChange(inner, keyring, stored));
    const next = applyCommand(stored.approval, { kind: 'execute' }, 0);
    const note = { event: 'execute', reason: null, result: executed.result } as const;
    return { stored: await saveTransition(tx, stored, next, note), executed };
  } catch (error) {
    const failure = refusalOf(error);
    if (failure === null) throw error;
    return { stored: await fail(tx, stored, failure), executed: null };
  }
}

/**
 * The change of a request that an earlier run has executed. Null when its payload was erased with a person meanwhile, or
 * is not valid in this release.
 */
async function findExecuted(
  { db, keyring }: ExecutionDeps,
  actor: Actor,
  approvalId: string,
): Promise<ExecutedChange | null> {
  const [row] = await read(db, actor, executedChangeQuery(approvalId));
  if (row === undefined || !isJsonObject(row.result)) return null;
  const prepared = prepareStored(row.action, openPayload(keyring, row));
  return prepared === null ? null : { prepared, result: row.result };
}

/** Ends an approved request whose change can never be made. */
export async function failApproval(
  db: Database,
  requester: Actor,
  input: ExecuteApproval & { code: string; detail: string },
): Promise<ApprovalRecord> {
  return unitOfWork(db, { ...requester, kind: 'system' }, async (tx) => {
    const stored = await lockApproval(tx, input.approval_id);
    return recordOf(isFor(stored.approval, input) ? await fail(tx, stored, input) : stored);
  });
}

/** True when the request is still approved, with the revision and digest that were approved. */
function isFor(approval: Approval, { revision, digest }: ExecuteApproval): boolean {
  return approval.status === 'approved' && approval.revision === revision && approval.digest === digest;
}

async function runChange(tx: Tx, keyring: Keyring, { row, approval }: StoredApproval): Promise<ExecutedChange> {
  const approved = await loadChange(tx, keyring, row.action, approval.digest);
  // What the gate depends on is changed under this lock only, so that it stays as it is found here until the change is made.
  if (approved.action.dependsOn.length > 0) await lockRights(tx);
  // Of what is judged by its version the change itself says best how it has become stale.
  const prepared = row.basis_digest === null ? approved : await assertNotStale(tx, approved, row.basis_digest);
  const authority = { kind: 'approval', approval_id: row.id, independence_days: independenceDaysOf(approval.policy) } as const;
  return { prepared, result: await runAction(tx, prepared, authority) };
}

type People = ReadonlyMap<string, PersonRights>;

/** The present rights of the requester, the approvers and whoever bypassed; people who are not active are left out. */
async function rightsNow(tx: Tx, approval: Approval): Promise<People> {
  const { rows } = await tx.sql.executeQuery(rightsQuery(peopleOf(approval)).compile());
  return new Map(rightsOfRows(rows).map((person) => [person.user_id, person]));
}

/** The authors, the approvers and whoever bypassed. */
function peopleOf(approval: Approval): string[] {
  const ids = [...authorsOf(approval), ...approval.approvals.map(({ approver_id }) => approver_id)];
  return approval.bypassed_by === null ? ids : [...ids, approval.bypassed_by];
}

/** Those whose approval or bypass carries the request and who could not give it any more. */
function lostRights(people: People, approval: Approval): string[] {
  const bypasser = approval.bypassed_by;
  const lost = approval.approvals
    .filter(({ approver_id, step }) => !mayStillApprove(people.get(approver_id), approval, step))
    .map(({ approver_id }) => approver_id);
  const bypasserLost = bypasser !== null && people.get(bypasser)?.permissions.includes('approval:break-glass') !== true;
  return bypasserLost ? [...lost, bypasser] : lost;
}

function mayStillApprove(person: PersonRights | undefined, { policy }: Approval, index: number): boolean {
  const step = policy.steps[index];
  if (person === undefined || step === undefined) return false;
  return person.permissions.includes('approval:decide') && isEligible(step, person);
}

/** Voids what does not count any more: votes of people who have lost the right, or are not apart any more. */
async function returnToReview(
  tx: Tx,
  stored: StoredApproval,
  { lost, tied }: { readonly lost: string[]; readonly tied: string[] },
): Promise<StoredApproval> {
  const next = applyCommand(stored.approval, { kind: 'return-to-review', lost: [...lost, ...tied] }, 0);
  const standing = new Set(next.approvals.map(({ approver_id }) => approver_id));
  const fallen = stored.approval.approvals.map(({ approver_id }) => approver_id).filter((id) => !standing.has(id));
  const dependent = tied.filter((id) => !lost.includes(id));
  const entitled = [...new Set([...fallen, ...lost])].filter((id) => !dependent.includes(id));
  await voidDecisions(tx, stored.row.id, entitled, 'right_lost');
  await voidDecisions(tx, stored.row.id, dependent, 'not_independent');
  const details = { lost, voided: [...entitled, ...dependent], ...(dependent.length === 0 ? {} : { not_independent: dependent }) };
  return saveTransition(tx, stored, next, { event: 'return-to-review', reason: null, details });
}

async function fail(
  tx: Tx,
  stored: StoredApproval,
  { code, detail }: { code: string; detail: string },
): Promise<StoredApproval> {
  const next = applyCommand(stored.approval, { kind: 'fail' }, 0);
  return saveTransition(tx, stored, next, { event: 'fail', reason: null, failure: { code, detail } });
}

/**
 * Runs work inside a savepoint, so that a refusal undoes its own writes, audit entries and invalidations and leaves the
 * transaction usable to record the failure.
 */
async function attempt<Result>(tx: Tx, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  const entries: AuditEntry[] = [];
  const events: InvalidationEvent[] = [];
  const deferred: Promise<unknown>[] = [];
  await sql`savepoint change`.execute(tx.sql);
  try {
    const result = await work({
      ...tx,
      // Statements that the change does not await must still fail inside the savepoint.
      defer: (query) => {
        const one = tx.sql.executeQuery(query.compile());
        one.catch(() => undefined);
        deferred.push(one);
      },
      audit: (entry) => entries.push(entry),
      invalidate: (event) => events.push(event),
    });
    await tx.flush();
    await Promise.all(deferred);
    await sql`release savepoint change`.execute(tx.sql);
    for (const entry of entries) tx.audit(entry);
    for (const event of events) tx.invalidate(event);
    return result;
  } catch (error) {
    await Promise.allSettled(deferred);
    // What the change has made of entities must not be flushed after all.
    tx.em.clear();
    await sql`rollback to savepoint change`.execute(tx.sql);
    throw error;
  }
}

/** Why the change can never be made, or null for an error after which another attempt may succeed. */
function refusalOf(error: unknown): { code: string; detail: string } | null {
  if (error instanceof Problem && error.status < 500) return { code: error.code, detail: error.message };
  const isConstraint = error instanceof Error && 'code' in error && String(error.code).startsWith('23');
  return isConstraint
    ? { code: 'resource.conflict', detail: 'The change conflicts with the current state.' }
    : null;
}
