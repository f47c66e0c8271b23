import { createClientDataRequest, createClientRecord } from '../../support/factories/client-record.ts';
import { byWorkflow, ifMatch, inTransaction } from './command-line.ts';
import type { CommandLine } from './command-line.ts';
import type { CommandStage } from './stage.ts';

const requests = '/api/v1/client-data-requests';
const settings = '/api/v1/client-settings';

async function openRequest({ db }: CommandStage): Promise<string> {
  const client = await createClientRecord(db);
  return (await createClientDataRequest(db, { client_id: client.id })).id;
}

export const clientRequestLines: readonly CommandLine[] = [
  inTransaction('createClientDataRequest', async ({ db }) => {
    const client = await createClientRecord(db);
    return { path: `/api/v1/clients/${client.id}/data-requests`, body: { kind: 'access' }, other: { body: { kind: 'erasure' } } };
  }),
  inTransaction('refuseClientDataRequest', async (stage) => ({ path: `${requests}/${await openRequest(stage)}/refuse`, body: { reason: 'unknown' } })),
  inTransaction('withdrawClientDataRequest', async (stage) => ({ path: `${requests}/${await openRequest(stage)}/withdraw` })),
  byWorkflow('fulfilClientDataRequest', async (stage) => ({ path: `${requests}/${await openRequest(stage)}/fulfil` })),
  inTransaction('updateClientSettings', async ({ app, admin }) => {
    const { body } = await app.call('GET', settings, { token: admin.token });
    const values = (days: number) => ({ data_request_days: (days % 90) + 1, reminder_days: [1] });
    const days: number = body.data_request_days;
    return { path: settings, body: values(days), headers: ifMatch(body.version), other: { body: values(days + 1) } };
  }),
];
