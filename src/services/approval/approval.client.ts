import type { UpdateDefinition } from '@temporalio/common';
import { isClosed } from '../../domain/approval/approval.ts';
import type { ApprovalView } from '../../domain/approval/approval-view.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { approvalWorkflowId } from '../../workflows/approval/approval.contract.ts';
import type { PersonalMessage } from '../../workflows/approval/approval.contract.ts';
import { personRef } from './approval-request.service.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { read } from '../../platform/database/read.ts';

/** Who sends a message: the caller and the proof of the caller's second factor. */
interface Sender {
  readonly actor: Actor;
  readonly mfa: MfaProof | null;
}

/** What the caller says about a request, with who they are and the proof of their second factor, both by id. */
export function personalMessage(
  { actor, mfa }: Sender,
  said: { digest: string; reason: string | null },
): PersonalMessage {
  return { ...said, actor: personRef(actor), roles: [...actor.roles], mfa_proof_id: requireProof(mfa) };
}

/**
 * Sends a message to a request: one call to its workflow, which judges it, writes it down and answers with the row. No
 * statement on the way; the proof of the second factor is used up where the decision is written.
 *
 * @throws Problem the workflow's refusal; for a request whose workflow has ended, what the row says.
 */
export async function sendApprovalUpdate<Message extends PersonalMessage>(
  deps: Pick<ProcessDeps, 'db' | 'temporal'>,
  actor: Actor,
  approvalId: string,
  update: UpdateDefinition<ApprovalView, [Message]>,
  message: Message,
): Promise<ApprovalView> {
  const workflowId = approvalWorkflowId(actor.tenant_id, approvalId);
  try {
    return await deps.temporal.call((client) =>
      client.workflow.getHandle(workflowId).executeUpdate(update, { args: [message] }),
    );
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'resource.not-found')) throw error;
    const statement = query.selectFrom('admin_approvals').where('id', '=', approvalId).select('status');
    const [row] = await read(deps.db, actor, statement);
    if (row === undefined) throw notFound('approval request');
    throw new Problem({
      code: 'approval.closed',
      detail: isClosed(row.status)
        ? `The request is ${row.status}; nothing about it can change.`
        : 'The workflow of this request was ended by an operator: open a new request.',
      members: { status: row.status },
    });
  }
}

/** The id of the proof that let the caller in; whoever gets it uses it up. */
export function requireProof(mfa: MfaProof | null): string {
  if (mfa === null) throw new Error('A route that hands its proof on must be gated by mfa.');
  return mfa.delegate();
}
