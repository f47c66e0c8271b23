import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { pageQuery } from '../../platform/database/keyset-page.ts';
import { uuid } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { clientCsvColumns } from '../../services/client-record/client-csv.ts';
import { clientExportFull } from '../../services/client-record/client-export-full.action.ts';
import { clientExportRequest } from '../../services/client-record/client-export.payload.ts';
import { ownExports } from '../../services/client-record/client-export.queries.ts';
import { auditExport, exportClients, exportFullClients, openExportFile } from '../../services/client-record/client-export.service.ts';
import { importClients, previewClients } from '../../services/client-record/client-import.service.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import { withUploadedFile } from '../http/upload-file.ts';
import { clientExportPage, clientExportQuery, clientImported, clientImportPreview, clientImportQuery } from './client-file.schemas.ts';

const tag = 'client';
const clientsPath = '/api/v1/clients';
const exportsPath = `${clientsPath}/exports`;
const csv = 'text/csv';
/** A million rows with all their columns. */
const maxFileBytes = 256 * 1024 * 1024;

const csvHeaders = (name: string) => ({
  'content-type': `${csv}; charset=utf-8`,
  'content-disposition': `attachment; filename="${name}.csv"`,
  'cache-control': 'no-store',
});
const csvOf = (rows: AsyncGenerator<string>, name: string) => reply(200, Readable.from(rows, { objectMode: false }), csvHeaders(name));

const importFile = route({
  operationId: 'importClients',
  method: 'post',
  path: `${clientsPath}/import`,
  tag,
  summary: 'Create client records from a CSV file, all rows or none, or preview it',
  description:
    `The first row names the columns: name, and any of ${clientCsvColumns.filter((column) => column !== 'name').join(', ')}. ` +
    'The rules are those of a single record. Errors are listed by row; the header is row 1. A file has at most two million rows.',
  permission: 'client:create',
  gate: 'none',
  uploads: [csv],
  // Its fingerprint is not known before its end; numbers that are there already are found as duplicates.
  idempotency: false,
  query: clientImportQuery,
  responses: { 200: z.union([clientImported, clientImportPreview]) },
  problems: ['import.refused', 'request.too-large', 'request.unsupported-media-type'],
  handler: ({ query: { mode, on_duplicate }, upload, deps, change, unitOfWork }) =>
    withUploadedFile<unknown>(upload, maxFileBytes, (path) =>
      mode === 'preview'
        ? unitOfWork((tx) => previewClients(tx, createReadStream(path), on_duplicate, deps.now()))
        : change((tx) => importClients(tx, createReadStream(path), on_duplicate, deps.now())),
    ),
});

const exportFile = route({
  operationId: 'exportClients',
  method: 'get',
  path: `${clientsPath}/export`,
  tag,
  summary: 'Client records as CSV with masked CPF, streamed',
  description:
    'The filters are those of the list. Values that a spreadsheet would run as a formula get an apostrophe; erased clients are left out. ' +
    'The audit entry is written before the first row.',
  permission: 'client:export',
  gate: 'none',
  query: clientExportQuery,
  responses: { 200: { contentTypes: [csv], description: 'A row for each client: its id, the columns of the import, and when it was created' } },
  handler: async ({ actor, deps, query, unitOfWork }) => {
    await unitOfWork(async (tx) => auditExport(tx, query));
    return csvOf(exportClients(deps, actor, query), 'clients');
  },
});

const requestExport = route({
  operationId: 'requestClientExport',
  method: 'post',
  path: exportsPath,
  tag: 'client_export',
  summary: 'Ask for an export of client records with full CPF',
  description:
    'Somebody else has to approve it, and `client:export` is needed as well. When it is approved, the requester alone can fetch the ' +
    'file for a day; it is made anew each time and kept nowhere.',
  permission: 'client:reveal-cpf',
  gate: {
    action: clientExportFull.name,
    payload: ({ body }) => body,
    complete: async (_deps, payload, _input, { user_id }) => ({ ...(payload as object), requested_by: user_id ?? undefined }),
  },
  body: clientExportRequest,
  responses: { 202: ApprovalBody },
  // The gate has a floor: without an approval the action refuses.
  handler: (context) => context.change((tx) => runGatedAction(tx, context, clientExportFull.prepare(context.body))),
});

const getExports = route({
  operationId: 'getClientExports',
  method: 'get',
  path: exportsPath,
  tag: 'client_export',
  summary: 'Own approved exports with full CPF, newest first',
  permission: 'client:reveal-cpf',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: clientExportPage },
  problems: ['request.cursor-invalid'],
  handler: ({ actor, deps, query }) => ownExports(deps.db, actor, query),
});

const fetchExport = route({
  operationId: 'fetchClientExport',
  method: 'get',
  path: `${exportsPath}/:export_id/file`,
  tag: 'client_export',
  summary: 'The file of an approved export, for its requester: client records as CSV with full CPF, streamed',
  description: 'It takes `client:export` as well, holds what matches now, and every fetch is audited with the reason of the request.',
  permission: 'client:reveal-cpf',
  gate: 'none',
  params: z.object({ export_id: uuid }),
  responses: { 200: { contentTypes: [csv], description: 'A row for each client, in the columns of the export' } },
  problems: ['resource.not-found', 'client.export-expired'],
  handler: async ({ actor, deps, params, unitOfWork }) => {
    const filters = await unitOfWork((tx) => openExportFile(tx, params.export_id, deps.now()));
    return csvOf(exportFullClients(deps, actor, filters), 'clients-full');
  },
});

/** Literal paths, which come before the pattern of an id. */
export const clientFileRoutes = [importFile, exportFile, requestExport, getExports, fetchExport];
