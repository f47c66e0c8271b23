import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { importProspects } from '../../services/tracker/prospect-import.service.ts';
import { prospectCsvColumns } from '../../domain/tracker/tracker-prospect-csv.ts';
import { prospectsQuery } from '../../services/tracker/prospect.queries.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { withUploadedFile } from '../http/upload-file.ts';
import { queryId } from './tracker.schemas.ts';

const csv = 'text/csv';
const maxFileBytes = 64 * 1024 * 1024;
/** Rows that are read at a time. */
const pageRows = 1_000;

const importCounts = z
  .object({
    imported: z.int().describe('Prospects that were added'),
    skipped: z.int().describe('Rows left out because they are there already'),
  })
  .meta({ id: 'ProspectImport' });

const importFile = route({
  ...trackerRoute,
  operationId: 'importProspects',
  method: 'post',
  path: `${trackerPath}/prospects/import`,
  summary: 'Import prospects from a CSV file, all rows or none',
  description:
    `The first row names the columns: name, and any of ${prospectCsvColumns.slice(1).join(', ')}. Faults are told by row, ` +
    'the header being row 1.',
  uploads: [csv],
  // Repeating an import meets its own rows as duplicates, so it needs no key.
  idempotency: false,
  query: z.strictObject({
    pipeline_id: queryId.optional().describe('Default: the default pipeline'),
    on_duplicate: z.enum(['error', 'skip']).default('error').describe('What an e-mail address that is known already does'),
  }),
  responses: { 200: importCounts },
  problems: ['prospect.import-refused', 'request.too-large', 'request.unsupported-media-type', 'resource.not-found'],
  handler: ({ actor, query: { pipeline_id, on_duplicate }, upload, unitOfWork }) =>
    withUploadedFile(upload, maxFileBytes, (path) =>
      unitOfWork((tx) =>
        importProspects(tx, ownerOf(actor), createReadStream(path), { pipeline_id: pipeline_id ?? null, on_duplicate }),
      ),
    ),
});

const exportFile = route({
  ...trackerRoute,
  operationId: 'exportProspects',
  method: 'get',
  path: `${trackerPath}/prospects/export`,
  summary: 'Own prospects as CSV, streamed; what a spreadsheet would run as a formula gets an apostrophe',
  responses: { 200: { contentTypes: [csv], description: 'A row for each prospect, in the columns of the import' } },
  handler: async (context) =>
    reply(200, Readable.from(exportText(context), { objectMode: false }), {
      'content-type': `${csv}; charset=utf-8`,
      'content-disposition': 'attachment; filename="prospects.csv"',
    }),
});

async function* exportText({ actor, read }: Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'read'>): AsyncGenerator<string> {
  yield stringify([[...prospectCsvColumns]]);
  let after = 0;
  for (;;) {
    const page = await read(prospectsQuery(ownerOf(actor)).where('p.id', '>', after).orderBy('p.id').limit(pageRows));
    const rows = page.map((row) => ({ ...row, stage: row.stage_name }));
    yield stringify(rows, { columns: [...prospectCsvColumns], escape_formulas: true });
    after = page.at(-1)?.id ?? after;
    if (page.length < pageRows) return;
  }
}

/** `import` and `export` stand before the pattern of an id. */
export const prospectFileRoutes = [importFile, exportFile];
