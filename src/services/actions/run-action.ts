import { weakens } from '../../domain/approval/gate-strength.ts';
import { isWeaker } from '../../domain/approval/approval-gate.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { AfterCommitDeps, Authority, PreparedAction } from './action.ts';
import { followAction } from '../commands/workflow-start.service.ts';
import { lockRights } from '../identity/role/effective-rights.service.ts';
import { gateOf } from './gate-policy.ts';

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
 * Whoever commits the transaction then starts what follows; {@link runGatedAction} does both.
 *
 * @throws Problem `approval.required` or `mfa.required` when the authority is too weak, and whatever the change throws.
 */
export async function runAction(tx: Tx, prepared: PreparedAction, authority: Authority): Promise<JsonObject> {
  await assertAuthority(tx, prepared, authority);
  return prepared.execute(tx, authority);
}

/** What a route that has let its caller through a gate knows of the call. */
interface GatedCall {
  readonly deps: AfterCommitDeps;
  /** The gate that the caller has passed. */
  readonly gate: GateLevel;
}

/**
 * Makes a change whose gate its caller has passed, in the transaction of the request, and has started what follows it.
 *
 * @throws Problem as {@link runAction}.
 */
export async function runGatedAction(
  tx: Tx,
  { deps, gate }: GatedCall,
  prepared: PreparedAction,
): Promise<JsonObject> {
  const result = await runAction(tx, prepared, { kind: gate === 'none' ? 'none' : 'mfa' });
  if (prepared.action.hasFollowUp) {
    followAction(deps, tx, { action: prepared.action.name, payload: prepared.payload, result });
  }
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
      // What the gate depends on must not change between this look and the commit.
      if (prepared.action.dependsOn.length > 0) await lockRights(tx);
      const { gate } = await gateOf(tx, tx.actor, prepared);
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
    .select('policy')
    .executeTakeFirst();
  if (request === undefined) throw tooWeak('approval');
  // Who approves a weakening is chosen by what it weakens: those must be the ones who did, or stricter ones.
  const own = action.isFixed ? await prepared.policy(tx, tx.actor) : null;
  if (own !== null && weakens({ gate: 'approval', policy: own }, { gate: 'approval', policy: request.policy })) {
    throw tooWeak('approval');
  }
}

function tooWeak(gate: 'none' | 'mfa' | 'approval'): Problem {
  return gate === 'approval'
    ? new Problem({
        code: 'approval.required',
        detail: 'This change requires an approved request for exactly this change.',
      })
    : new Problem({ code: 'mfa.required', detail: 'This change needs a second factor.' });
}
