import { gateInForce, gateOf, gatePolicyQuery } from '../actions/gate-policy.ts';
import type { PreparedAction } from '../actions/action.ts';
import { assertOpenable, assertSatisfiable } from './approval-opening.service.ts';
import { storePayload } from './approval-payload.repository.ts';
import { freezeBasis } from './approval-staleness.service.ts';
import { startApproval } from './approval.client.ts';
import { findAction, getAction } from '../actions/registry.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { ApprovalPolicy } from '../../domain/approval/approval-policy.ts';
import type { ApprovalView } from '../../domain/approval/approval-presentation.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { rehearsal } from '../../platform/database/rehearsal.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { openWithinMs } from '../../workflows/approval/approval.contract.ts';
import type { ApprovalRecord, PersonRef } from '../../workflows/approval/approval.contract.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

type Deps = Pick<ProcessDeps, 'db' | 'keyring' | 'temporal' | 'outbound'>;

/** Resolves the gates that are data and opens the requests that they ask for; one for each API process. */
export interface ApprovalRequests {
  /** The gate in force: that of the gate policy, or the safe default without one. */
  resolveGate(
    actor: Actor,
    action: string,
    environment: EnvironmentName | null,
    /** Makes the payload, for an action whose gate depends on what it touches. */
    payload: () => unknown,
  ): Promise<GateLevel>;
  /**
   * Refuses, without keeping anything, a request that could not be opened: so that nobody is asked for a second factor for
   * what must fail (T-14).
   */
  rehearse(actor: Actor, action: string, payload: unknown): Promise<void>;
  /** The same inside a transaction of the caller. */
  assertOpenable(tx: Tx, prepared: PreparedAction): Promise<void>;
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
    resolveGate: async (actor, name, environment, payload) => {
      const action = findAction(name);
      const demanded =
        action === undefined || action.dependsOn.length === 0
          ? 'none'
          : await action.prepare(payload()).demandedGate(deps.db, actor);
      const [row] = await read(deps.db, actor, gatePolicyQuery(name, environment));
      return gateInForce(action, environment, row?.gate, demanded);
    },
    rehearse: async (actor, action, payload) => {
      const prepared = getAction(action).prepare(payload);
      await prepared.precheck(deps);
      await rehearsal(deps.db, actor, (tx) => prepareRequest(tx, deps.keyring, prepared));
    },
    assertOpenable: async (tx, prepared) => {
      await prepareRequest(tx, deps.keyring, prepared);
    },
    open: async ({ actor, action, payload, mfa }, command) => {
      const prepared = getAction(action).prepare(payload);
      return requestApproval(deps, actor, { prepared, reason: prepared.reason, proof: mfa.delegate() }, command);
    },
    viewOf: approvalViewOf,
  };
}

/**
 * A change whose approval the caller may request.
 *
 * @throws Problem `auth.forbidden` without the permission that the change itself needs, for what only the owner of an account
 *   asks for with the password, or when it is an emergency; `request.invalid` for a payload that holds what its route makes.
 */
export function changeFor(actor: Actor, name: string, payload: unknown): PreparedAction {
  const action = getAction(name);
  if (action.askedWith === 'password') {
    throw new Problem({
      code: 'auth.forbidden',
      detail: 'Nobody but the owner of the account asks for this, with the password: POST /auth/factor-recovery.',
    });
  }
  if (action.permission !== null && !actor.permissions.includes(action.permission)) {
    throw new Problem({ code: 'auth.forbidden', detail: `This change needs the permission ${action.permission}.` });
  }
  if (action.isEmergency) {
    throw new Problem({
      code: 'resource.conflict',
      detail: 'An emergency change needs no approval: use its own endpoint.',
    });
  }
  const given = typeof payload === 'object' && payload !== null ? (payload as Readonly<Record<string, unknown>>) : {};
  const made = action.madeByRoute.filter((member) => Boolean(given[member]));
  if (made.length > 0) {
    const detail = 'is made by the operation itself, which opens the request where one is needed';
    throw invalidInput(made.map((member) => ({ pointer: `/payload/${member}`, detail })));
  }
  return action.prepare(payload, '/payload');
}

/** A change to be approved. */
interface ApprovalRequest {
  readonly prepared: PreparedAction;
  readonly reason: string | null;
  /**
   * Id of the requester's proof, which the transaction that records the request consumes. What is proven by the password is
   * written down with the checks of the request, so that one that is refused leaves no proof behind.
   */
  readonly proof: string | ((tx: Tx, digest: string) => Promise<string>);
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
  { prepared, reason, proof }: ApprovalRequest,
  command: WorkflowCommand,
): Promise<ApprovalView> {
  const requester = personRef(actor);
  await prepared.precheck(deps);
  const { policy, digest, mfa_proof_id } = await unitOfWork(deps.db, actor, async (tx) => {
    const opening = await prepareRequest(tx, deps.keyring, prepared);
    return { ...opening, mfa_proof_id: typeof proof === 'string' ? proof : await proof(tx, opening.digest) };
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
  return startApproval(deps, input, { mfa_proof_id, command_id: command.command_id }, command);
}

/**
 * Checks that a change could be made, that its policy could be met without those who ask for it or wrote it, and that it does
 * not wait already; stores its payload.
 *
 * @returns the policy that its request is opened under, and the digest of what people approve.
 */
async function prepareRequest(
  tx: Tx,
  keyring: Keyring,
  prepared: PreparedAction,
): Promise<{ policy: ApprovalPolicy; digest: string }> {
  const { user_id } = personRef(tx.actor);
  await prepared.check(tx);
  const { policy } = await gateOf(tx, tx.actor, prepared);
  await assertSatisfiable(tx, policy, [...new Set([user_id, ...(await prepared.writers(tx))])]);
  const digest = await storePayload(tx, keyring, prepared);
  const { change_digest } = await freezeBasis(tx, prepared);
  await assertOpenable(tx, user_id, change_digest);
  return { policy, digest };
}

/** What a person gets to see of a request, out of what its command has stored. */
export function approvalViewOf(stored: unknown): ApprovalView {
  return (stored as ApprovalRecord).view;
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
