import { fromNow } from '../../support/factories/defaults.ts';
import { byWorkflow } from './command-line.ts';
import type { CommandLine } from './command-line.ts';

/** Another export each time: the same one waits only once. */
let asked = 0;

export const clientFileLines: readonly CommandLine[] = [
  { operationId: 'importClients', kind: 'none', reason: 'it streams an upload, whose fingerprint is not known before its end' },
  // By another one than most requests of the table: one person has twenty open at most.
  byWorkflow('requestClientExport', async ({ approver: person }) => {
    const body = { filters: { created_to: fromNow((asked += 1)) }, reason: 'a test' };
    return { person, path: '/api/v1/clients/exports', body, other: { body: { ...body, reason: 'another' } } };
  }),
];
