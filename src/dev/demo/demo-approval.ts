import { pause, prove, say } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';

const executionTimeoutMs = 30_000;

/** Approves a request as it was shown, by its digest, with a second factor. */
export async function approve(approver: Caller, { id, digest }: { id: string; digest: string }): Promise<void> {
  const { adminApi } = approver.client;
  const approved = await prove(approver, (proof) => adminApi.approveRequest(id, { digest, reason: 'Looks right' }, proof));
  const [first] = approved.steps;
  say(`${approver.person.full_name} approves what was shown, with a second factor`, {
    approvals: `${first?.approvals ?? 0} of ${first?.quorum ?? 0} for "${first?.name ?? ''}"`,
    status: approved.status,
  });
}

/** The workflow makes the change; the answer to the last approval does not wait for it. */
export async function waitForExecution({ client }: Caller, id: string): Promise<void> {
  const deadline = Date.now() + executionTimeoutMs;
  for (;;) {
    const { data } = await client.http.GET('/admin/approvals/{id}', { params: { path: { id } } });
    if (data?.status === 'executed') {
      say('The workflow has made the change', { status: data.status, change: data.description });
      return;
    }
    if (data?.status !== 'approved') throw new Error(`The request is ${data?.status}: ${data?.failure_detail ?? ''}`);
    if (Date.now() > deadline) throw new Error('The workflow did not make the change in time: does the worker run?');
    await pause(100);
  }
}
