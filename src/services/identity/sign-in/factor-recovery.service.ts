import type { Actor } from '../../../domain/shared/actor.ts';
import type { ApprovalView } from '../../../domain/approval/approval-presentation.ts';
import type { WorkflowCommand } from '../../../domain/shared/workflow-command.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import { Problem } from '../../../platform/problem.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { recordPasswordProof } from '../../../platform/security/password-proof.ts';
import { changeDigest } from '../../actions/run-action.ts';
import { approvalsQuery, viewOfRow } from '../../approval/approval-row.queries.ts';
import { requestApproval } from '../../approval/approval-request.service.ts';
import { noFactor, userResetFactor } from '../user-reset-factor.action.ts';
import type { FactorOwner } from './second-factor.service.ts';
import { identifyByPassword } from './sign-in.service.ts';
import type { Identification } from './sign-in.service.ts';

/**
 * Whose password this is, for somebody who has lost the second factor. Every attempt counts as one to sign in, and is refused in
 * the same way.
 *
 * @throws Problem `auth.invalid-credentials`, 429 after too many attempts.
 */
export async function identifyFactorOwner(
  deps: SignInDeps,
  anonymous: Actor,
  identification: Identification,
): Promise<FactorOwner> {
  const { user_id, tenant_id } = await identifyByPassword(deps, anonymous, identification, {
    event: 'mfa.recovery',
    detail: 'Check the phone number or e-mail address and the password.',
  });
  return { ...anonymous, kind: 'user', user_id, tenant_id };
}

/**
 * Opens a request in the name of the owner of an account to have the lost second factor removed; the one that is open already is
 * found instead of opened again, also by a parallel call.
 *
 * @param owner who has just given the password.
 * @param throughWorkflow carries the opening out as a command of the owner.
 * @returns the open request.
 * @throws Problem `mfa.not-enrolled` for an account without an app, `approval.no-second-person` where nobody could approve it.
 */
export async function requestFactorReset(
  deps: SignInDeps,
  owner: FactorOwner,
  reason: string,
  throughWorkflow: (send: (command: WorkflowCommand) => Promise<ApprovalView>) => Promise<ApprovalView>,
): Promise<ApprovalView> {
  const { user_id } = owner;
  const [factor] = await read(
    deps.db,
    owner,
    kysely.selectFrom('mfa_factors').where('user_id', '=', user_id).where('confirmed_at', 'is not', null).select('id'),
  );
  if (factor === undefined) throw noFactor();
  const prepared = userResetFactor.prepare({ user_id, factor_id: factor.id });
  const { action, environment, payload } = prepared;
  const digest = changeDigest({ action: action.name, environment, payload });
  const open = await findOpen(deps, owner, digest);
  if (open !== undefined) return open;
  const proof: Parameters<typeof requestApproval>[2]['proof'] = (tx, payload_digest) =>
    recordPasswordProof(tx, { user_id, action: action.name, payload_digest });
  try {
    return await throughWorkflow((command) => requestApproval(deps, owner, { prepared, reason, proof }, command));
  } catch (error) {
    const isFaster = error instanceof Problem && error.code === 'approval.identical-open';
    const other = isFaster ? await findOpen(deps, owner, digest) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}

async function findOpen({ db }: Pick<SignInDeps, 'db'>, owner: FactorOwner, digest: string): Promise<ApprovalView | undefined> {
  const query = approvalsQuery().where('a.digest', '=', digest).where('a.status', 'in', ['pending', 'approved']);
  const [row] = await read(db, owner, query);
  return row === undefined ? undefined : viewOfRow(row);
}
