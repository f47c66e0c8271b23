import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { prospectCsvColumns } from '../../services/tracker/pipeline/prospect-csv.ts';
import { exportProspects } from '../../services/tracker/pipeline/prospect-export.service.ts';
import { importProspects } from '../../services/tracker/pipeline/prospect-import.service.ts';
import { reply, route } from '../http/route.ts';
import { withUploadedFile } from '../http/upload-file.ts';
import { ProspectImportBody } from './prospect.schemas.ts';
import { ownerOf, personOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { queryId } from './tracker.schemas.ts';

const csv = 'text/csv';
const maxFileBytes = 64 * 1024 * 1024;

const importFile = route({
  ...trackerRoute,
  operationId: 'importProspects',
  method: 'post',
  path: `${trackerPath}/prospects/import`,
  summary: 'Import prospects from a CSV file, all rows or none',
  description:
    `The first row names the columns: name, and any of ${prospectCsvColumns.slice(1).join(', ')}. Errors are listed ` +
    'by row; the header is row 1.',
  uploads: [csv],
  // A repeated import finds its own rows as duplicates, so it needs no key.
  idempotency: false,
  query: z.strictObject({
    pipeline_id: queryId.optional().describe('Default: the default pipeline'),
    on_duplicate: z.enum(['error', 'skip']).default('error').describe('What to do with a known e-mail address'),
  }),
  responses: { 200: ProspectImportBody },
  problems: ['prospect.import-refused', 'request.too-large', 'request.unsupported-media-type', 'resource.not-found'],
  handler: ({ actor, query: { pipeline_id, on_duplicate }, upload, change }) =>
    withUploadedFile(upload, maxFileBytes, (path) =>
      change((tx) =>
        importProspects(tx, ownerOf(actor), createReadStream(path), { pipeline_id: pipeline_id ?? null, on_duplicate })),
    ),
});

const exportFile = route({
  ...trackerRoute,
  operationId: 'exportProspects',
  method: 'get',
  path: `${trackerPath}/prospects/export`,
  summary: 'Own prospects as CSV, streamed; values that a spreadsheet would run as a formula get an apostrophe',
  responses: { 200: { contentTypes: [csv], description: 'A row for each prospect, in the columns of the import' } },
  handler: async ({ actor, deps }) =>
    reply(200, Readable.from(exportProspects(deps, personOf(actor)), { objectMode: false }), {
      'content-type': `${csv}; charset=utf-8`,
      'content-disposition': 'attachment; filename="prospects.csv"',
    }),
});

/** `import` and `export` are matched before the pattern of an id. */
export const prospectFileRoutes = [importFile, exportFile];
