import { createContact } from '../../support/factories/assignment.ts';
import { createClientRecord, someCpf } from '../../support/factories/client-record.ts';
import { ifMatch, inTransaction } from './command-line.ts';
import type { CommandLine } from './command-line.ts';
import type { CommandStage } from './stage.ts';

const clients = '/api/v1/clients';

async function twoClients({ db }: CommandStage) {
  return [await createClientRecord(db, { email: 'two@people.example' }), await createClientRecord(db, { email: 'one@people.example' })] as const;
}

export const clientMergeLines: readonly CommandLine[] = [
  { operationId: 'findClientDuplicates', kind: 'none', reason: 'it changes nothing; the body keeps numbers out of addresses' },
  inTransaction('mergeClients', async (stage) => {
    const [keep, gone] = await twoClients(stage);
    const body = { merged_id: gone.id, merged_version: 1 };
    return { path: `${clients}/${keep.id}/merge`, body, headers: ifMatch(1), other: { body: { ...body, take: ['email'] } } };
  }),
  inTransaction('undoClientMerge', async (stage) => {
    const [keep, gone] = await twoClients(stage);
    const body = { merged_id: gone.id, merged_version: 1 };
    const { body: made } = await stage.done(stage.admin, 'POST', `${clients}/${keep.id}/merge`, { body, headers: ifMatch(1) });
    return { path: `/api/v1/client-merges/${made.merge.id}/undo` };
  }),
  inTransaction('convertToClient', async ({ db }) => {
    const { id } = await createContact(db);
    return { path: `${clients}/convert`, body: { source: { type: 'contact', id }, name: 'New Client', cpf: someCpf(), birth_date: '1980-01-01' } };
  }),
];
