import { isWeaker } from '../../domain/approval/approval-gate.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { Authority, PreparedAction } from './action.ts';
import { effectiveGate, gatePolicyQuery } from './gate-policy.ts';

/** What approvers are shown and approve is named by this: the SHA-256 of the canonical change. */
export function changeDigest(change: {
  action: string;
  environment: EnvironmentName | null;
  payload: unknown;
}): string {
  const { action, environment, payload } = change;
  return payloadDigest({ action, environment, payload });
}

/**
 * Makes a change inside the caller's transaction, on the strength of an authority that the gate table accepts at this
 * moment. The check stands here and not only at the routes, so that calling the change directly gains nothing.
 *
 * @throws Problem `approval.required` or `mfa.required` when the authority is too weak, and whatever the change throws.
 */
export async function runAction(tx: Tx, prepared: PreparedAction, authority: Authority): Promise<JsonObject> {
  await requireAuthority(tx, prepared, authority);
  return prepared.execute(tx, authority);
}

async function requireAuthority(tx: Tx, prepared: PreparedAction, authority: Authority): Promise<void> {
  switch (authority.kind) {
    case 'approval':
      return requireApproved(tx, prepared, authority.approval_id);
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

/** The request must be approved at this moment, for exactly this change. */
async function requireApproved(tx: Tx, prepared: PreparedAction, approvalId: string): Promise<void> {
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
        detail: 'This change runs only on an approved request for exactly this.',
      })
    : new Problem({ code: 'mfa.required', detail: 'This change needs a second factor.' });
}
