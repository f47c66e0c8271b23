import { drawnCpf } from '../realistic-clients.ts';
import { say } from './demo-caller.ts';
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
