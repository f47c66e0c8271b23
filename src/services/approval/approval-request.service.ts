import { randomUUID } from 'node:crypto';
import { effectiveGate, gateInForce, gatePolicyQuery } from '../actions/gate-policy.ts';
import type { PreparedAction } from '../actions/action.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { candidatesQuery, deciders, rightsOfRows } from './eligible-people.queries.ts';
import { startApproval } from './approval.client.ts';
import { findAction, getAction } from '../actions/registry.ts';
import { changeDigest } from '../actions/run-action.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { policyFaults } from '../../domain/approval/approval-policy.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { openWithinMs } from '../../workflows/approval/approval.contract.ts';
import type { ApprovalRecord, PersonRef } from '../../workflows/approval/approval.contract.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring' | 'temporal'>;

/** Resolves the gates that are data and opens the requests that they ask for; one for each API process. */
export interface ApprovalRequests {
  /** The gate in force: that of the gate policy, or the safe default without one. */
  resolveGate(actor: Actor, action: string, environment: EnvironmentName | null): Promise<GateLevel>;
  /** Opens a request for the approval of an action. @returns the body of the 202 answer. */
  open(
    request: {
      readonly actor: Actor;
      readonly action: string;
      readonly environment: EnvironmentName | null;
      readonly payload: unknown;
      readonly mfa: MfaProof;
    },
    command: WorkflowCommand,
  ): Promise<ApprovalView>;
  /** The same body out of what the command has stored. */
  viewOf(stored: unknown): ApprovalView;
}

/** Makes {@link ApprovalRequests} out of the parts of a process (S2-68, S2-70). */
export function createApprovalRequests(deps: Deps): ApprovalRequests {
  return {
    resolveGate: async (actor, name, environment) => {
      const [row] = await read(deps.db, actor, gatePolicyQuery(name, environment));
      return gateInForce(findAction(name), environment, row?.gate);
    },
    open: async ({ actor, action, payload, mfa }, command) => {
      const prepared = getAction(action).prepare(payload);
      return requestApproval(deps, actor, { prepared, reason: prepared.reason, mfaProofId: mfa.delegate() }, command);
    },
    viewOf: approvalViewOf,
  };
}

/**
 * A change whose approval the caller may request.
 *
 * @throws Problem `auth.forbidden` without the permission that the change itself needs, or when it is an emergency.
 */
export function changeFor(actor: Actor, name: string, payload: unknown): PreparedAction {
  const action = getAction(name);
  if (!actor.permissions.includes(action.permission)) {
    throw new Problem({ code: 'auth.forbidden', detail: `This change needs the permission ${action.permission}.` });
  }
  if (action.isEmergency) {
    throw new Problem({
      code: 'resource.conflict',
      detail: 'An emergency change needs no approval: use its own endpoint.',
    });
  }
  return action.prepare(payload, '/payload');
}

/** A change to be approved. */
interface ApprovalRequest {
  readonly prepared: PreparedAction;
  readonly reason: string | null;
  /** Id of the proof of the requester's second factor; consumed in the transaction that records the request. */
  readonly mfaProofId: string;
}

/**
 * Opens a request: checks that the change could be made and the policy met, stores the payload under its digest, and
 * starts the workflow, which gets ids and the digest only.
 *
 * @returns the committed row.
 * @throws Problem when the change is stale or impossible, or when nobody could approve it.
 */
export async function requestApproval(
  deps: Deps,
  actor: Actor,
  { prepared, reason, mfaProofId }: ApprovalRequest,
  command: WorkflowCommand,
): Promise<ApprovalView> {
  const requester = personRef(actor);
  const { policy, digest } = await unitOfWork(deps.db, actor, async (tx) => {
    await prepared.check(tx);
    return {
      policy: await satisfiablePolicy(tx, prepared, [requester.user_id]),
      digest: await storePayload(tx, deps.keyring, prepared),
    };
  });
  const { action, environment } = prepared;
  const input = {
    requester,
    approval_id: command.command_id,
    action: action.name,
    environment,
    digest,
    reason,
    policy,
    open_within_ms: openWithinMs,
  };
  return startApproval(deps, input, { mfa_proof_id: mfaProofId, command_id: command.command_id }, command);
}

/** What a person gets to see of a request, out of what its command has stored. */
export function approvalViewOf(stored: unknown): ApprovalView {
  return (stored as ApprovalRecord).view;
}

/**
 * The approval policy that a request for this change is opened under.
 *
 * @param authors user ids of those who cannot approve it.
 * @throws Problem `approval.policy-unsatisfiable` when the others are too few.
 */
async function satisfiablePolicy(
  tx: Tx,
  { action, environment }: PreparedAction,
  authors: readonly string[],
): Promise<ApprovalPolicy> {
  const { rows } = await tx.sql.executeQuery(gatePolicyQuery(action.name, environment).compile());
  const { policy } = effectiveGate(action, environment, rows[0]);
  await assertSatisfiable(tx, policy, authors);
  return policy;
}

/** @throws Problem `approval.policy-unsatisfiable` when a policy cannot be met without its authors. */
export async function assertSatisfiable(tx: Tx, policy: ApprovalPolicy, authors: readonly string[]): Promise<void> {
  const candidates = await tx.sql.executeQuery(candidatesQuery(policy.steps).compile());
  const others = deciders(rightsOfRows(candidates.rows)).filter(({ user_id }) => !authors.includes(user_id));
  const faults = policyFaults(policy, others);
  if (faults.length === 0) return;
  throw new Problem({
    code: 'approval.policy-unsatisfiable',
    detail: `Not enough users could approve this: ${faults.map(({ message }) => message).join('; ')}.`,
    errors: faults.map(({ path, message }) => ({ pointer: path, detail: message })),
  });
}

/** Stores a payload under its digest, once. @returns the digest. */
export async function storePayload(tx: Tx, keyring: Keyring, prepared: PreparedAction): Promise<string> {
  const { action, environment, payload } = prepared;
  const digest = changeDigest({ action: action.name, environment, payload });
  const id = randomUUID();
  const place = { table: 'admin_approval_payloads', column: 'payload_ciphertext', row_id: id };
  const stored = await tx.sql
    .insertInto('admin_approval_payloads')
    .values({
      id,
      tenant_id: tx.actor.tenant_id,
      digest,
      action: action.name,
      environment,
      payload: action.isSecret ? null : jsonb(payload),
      payload_ciphertext: action.isSecret ? keyring.seal(JSON.stringify(payload), place) : null,
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'digest']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (stored === undefined) await assertNotErased(tx, digest);
  return digest;
}

/** @throws Problem `resource.conflict` when the payload of this digest was erased: there is nothing to approve. */
async function assertNotErased(tx: Tx, digest: string): Promise<void> {
  const erased = await tx.sql
    .selectFrom('admin_approval_payloads')
    .where('digest', '=', digest)
    .where('erased_at', 'is not', null)
    .select('id')
    .executeTakeFirst();
  if (erased === undefined) return;
  throw new Problem({
    code: 'resource.conflict',
    detail: 'This change names a person who has been erased since it was requested.',
  });
}

/**
 * The caller as a person in a workflow.
 *
 * @throws Problem `auth.forbidden` for service tokens: approvals are between people.
 */
export function personRef(actor: Actor): PersonRef {
  if (actor.user_id === null) {
    throw new Problem({ code: 'auth.forbidden', detail: 'Approvals are for signed-in users.' });
  }
  return { ...actorRef(actor), user_id: actor.user_id };
}
