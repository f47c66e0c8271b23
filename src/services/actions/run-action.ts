import { randomUUID } from 'node:crypto';
import { isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { actorRef } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx, UnitOfWork } from '../../platform/database/unit-of-work.ts';
import type { AfterCommitDeps, Authority, PreparedAction } from './action.ts';
import { effectiveGate, gatePolicyQuery } from './gate-policy.ts';

/** Identifies exactly what approvers see and approve: the SHA-256 of the canonical change (RFC 8785), in hex. */
export function changeDigest(change: {
  action: string;
  environment: EnvironmentName | null;
  payload: unknown;
}): string {
  const { action, environment, payload } = change;
  return payloadDigest({ action, environment, payload });
}

/**
 * Makes a change inside the caller's transaction, if the gate in force accepts the authority. The check stands here and
 * not only at the routes, so that no caller can go around it.
 *
 * Whoever commits the transaction then starts what follows: {@link runAfterCommit}, or {@link runGatedAction} for both.
 *
 * @throws Problem `approval.required` or `mfa.required` when the authority is too weak, and whatever the change throws.
 */
export async function runAction(tx: Tx, prepared: PreparedAction, authority: Authority): Promise<JsonObject> {
  await assertAuthority(tx, prepared, authority);
  return prepared.execute(tx, authority);
}

/**
 * Starts what follows a change that its caller has made without an approval. The change is committed, so what cannot be
 * started now is logged and left to the sweep of its area, unless there is none.
 */
export async function runAfterCommit(
  deps: AfterCommitDeps,
  actor: Actor,
  prepared: PreparedAction,
  result: JsonObject,
): Promise<void> {
  const { action } = prepared;
  try {
    const change = { actor: actorRef(actor), result, change_id: randomUUID(), isRepetition: false };
    await prepared.afterCommit(deps, change);
  } catch (error) {
    if (action.isLostWithoutAfterCommit) throw error;
    deps.log.warn({ err: error, action: action.name }, 'the follow-up of a change could not be started; the sweep will start it');
  }
}

/** What a route that has let its caller through a gate knows of the call. */
interface GatedCall {
  readonly deps: AfterCommitDeps;
  readonly actor: Actor;
  /** The gate that the caller has passed. */
  readonly gate: GateLevel;
  readonly unitOfWork: UnitOfWork;
}

/**
 * Makes a change whose gate its caller has passed, and starts what follows.
 *
 * @throws Problem as {@link runAction}.
 */
export async function runGatedAction(
  { deps, actor, gate, unitOfWork }: GatedCall,
  prepared: PreparedAction,
): Promise<JsonObject> {
  const authority = { kind: gate === 'none' ? 'none' : 'mfa' } as const;
  const result = await unitOfWork((tx) => runAction(tx, prepared, authority));
  await runAfterCommit(deps, actor, prepared, result);
  return result;
}

async function assertAuthority(tx: Tx, prepared: PreparedAction, authority: Authority): Promise<void> {
  switch (authority.kind) {
    case 'approval':
      return assertApproved(tx, prepared, authority.approval_id);
    case 'emergency':
      if (!prepared.action.isEmergency) throw tooWeak('approval');
      return;
    case 'mfa':
    case 'none': {
      const { action, environment } = prepared;
      const { rows } = await tx.sql.executeQuery(gatePolicyQuery(action.name, environment).compile());
      const { gate } = effectiveGate(action, environment, rows[0]);
      if (isWeaker(authority.kind, gate)) throw tooWeak(gate);
    }
  }
}

/** The request must be approved now, and for exactly this change. */
async function assertApproved(tx: Tx, prepared: PreparedAction, approvalId: string): Promise<void> {
  const { action, environment, payload } = prepared;
  const request = await tx.sql
    .selectFrom('admin_approvals')
    .where('id', '=', approvalId)
    .where('status', '=', 'approved')
    .where('digest', '=', changeDigest({ action: action.name, environment, payload }))
    .select('id')
    .executeTakeFirst();
  if (request === undefined) throw tooWeak('approval');
}

function tooWeak(gate: 'none' | 'mfa' | 'approval'): Problem {
  return gate === 'approval'
    ? new Problem({
        code: 'approval.required',
        detail: 'This change requires an approved request for exactly this change.',
      })
    : new Problem({ code: 'mfa.required', detail: 'This change needs a second factor.' });
}
