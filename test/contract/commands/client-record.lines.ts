import { createClientRecord, someCpf } from '../../support/factories/client-record.ts';
import { ifMatch, inTransaction } from './command-line.ts';
import type { CommandLine } from './command-line.ts';

const clients = '/api/v1/clients';

export const clientRecordLines: readonly CommandLine[] = [
  { operationId: 'searchClients', kind: 'none', reason: 'a read by POST' },
  { operationId: 'revealClientCpf', kind: 'none', reason: 'a read by POST of a number, which must not be kept' },
  inTransaction('createClient', async () => ({
    path: clients,
    body: { name: 'New Client', cpf: someCpf(), birth_date: '1980-01-01' },
    other: { body: { name: 'Other Client', cpf: someCpf(), birth_date: '1980-01-01' } },
  })),
  inTransaction('updateClient', async ({ db }) => {
    return { path: `${clients}/${(await createClientRecord(db)).id}`, body: { name: 'Renamed' }, headers: ifMatch(1) };
  }),
  inTransaction('deleteClient', async ({ db }) => {
    return { path: `${clients}/${(await createClientRecord(db)).id}`, headers: ifMatch(1) };
  }),
  inTransaction('restoreClient', async ({ db }) => {
    const { id } = await createClientRecord(db, { deleted_at: '2026-01-05T10:00:00Z' });
    return { path: `${clients}/${id}/restore`, headers: ifMatch(1) };
  }),
];
