import type { Approval } from '../../sdk/index.ts';
import { problemErrorOf } from '../../sdk/problem-error.ts';
import { drawnCpf } from '../realistic-clients.ts';
import { approve, waitForExecution } from './demo-approval.ts';
import { prove, say } from './demo-caller.ts';
import type { Caller } from './demo-caller.ts';

/** A client record as the demonstration goes on with it. */
export interface DemoClient {
  readonly id: string;
  readonly name: string;
}

/** Writes a client down, looks for them by their CPF, and has the number shown in full with a reason. */
export async function showClient({ person, client }: Caller): Promise<DemoClient> {
  const { clientsApi } = client;
  // Another one each time: a number belongs to one client of the tenant, deleted and erased ones included.
  const cpf = drawnCpf(Math.random);
  const record = await clientsApi.createClient({
    name: 'Joana Demonstração de Souza',
    cpf,
    birth_date: '1984-05-17',
    email: 'joana.souza@example.com',
  });
  say(`${person.full_name} writes a client down; lists and details show the CPF masked`, {
    client: record.id,
    name: record.name,
    CPF: record.cpf ?? '',
  });
  const { items } = await clientsApi.searchClients({ cpf });
  if (items[0]?.id !== record.id) throw new Error('The client is not found by the CPF.');
  const reason = 'Demonstration: form for the tax office';
  const { written } = await clientsApi.revealClientCpf(record.id, { reason });
  const { items: entries } = await client.adminApi.getAuditLogs({ resource_id: record.id, event: 'client.reveal-cpf' });
  if (entries.length !== 1) throw new Error('The reveal is not in the audit log.');
  say('The full CPF is shown for one answer, with a reason, and audited', { CPF: written, reason, 'audit entry': entries[0]?.seq ?? '' });
  return record;
}

/** The client asks to be erased: one person writes that down and asks for the approval, another one gives it, a workflow erases. */
export async function eraseClient(apiUrl: string, requester: Caller, approver: Caller, { id, name }: DemoClient): Promise<void> {
  const post = async <Answer>(path: string, body?: object, mfaToken?: string): Promise<Answer> => {
    const response = await fetch(`${apiUrl}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${requester.client.tokens?.access_token ?? ''}`,
        'idempotency-key': crypto.randomUUID(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(mfaToken === undefined ? {} : { 'x-mfa-token': mfaToken }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw problemErrorOf(response, answer);
    return answer as Answer;
  };
  const request = await post<{ id: string }>(`/api/v1/clients/${id}/data-requests`, { kind: 'erasure' });
  const approval = await prove(requester, ({ mfaToken }) =>
    post<Approval>(`/api/v1/client-data-requests/${request.id}/fulfil`, undefined, mfaToken),
  );
  say(`${name} asks to be erased; ${requester.person.full_name} asks for the approval`, { request: request.id, approval: approval.id });
  await approve(approver, approval);
  await waitForExecution(requester, approval.id);
  const left = await requester.client.clientsApi.getClient(id);
  if (left.erased_at === null || left.cpf !== null || left.name === name) throw new Error('Something of the client is left.');
  say('Of the client nothing is left but the id, which the audit log goes on naming', { name: left.name, CPF: 'none', erased: left.erased_at });
}
