import { z } from 'zod';
import { pageOf } from '../../platform/database/keyset-page.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { clientExportFilters } from '../../services/client-record/client-export.payload.ts';
import { duplicateRules } from '../../services/client-record/client-import.service.ts';
import { clientListQuery, clientView } from './client.schemas.ts';

/** Query of an import. */
export const clientImportQuery = z.strictObject({
  mode: z.enum(['import', 'preview']).default('import').describe('`preview` checks the file as the import would, and writes no client'),
  on_duplicate: z
    .enum(duplicateRules)
    .default('error')
    .describe('What to do with a number that a client or an earlier row has: refuse the file, or leave the row out'),
});

/** What an import has done. */
export const clientImported = z
  .object({
    import_id: uuid.describe('Names the import in the audit log'),
    created: z.number().int().describe('Clients that were created'),
    skipped: z.number().int().describe('Rows left out because of their number'),
  })
  .meta({ id: 'ClientImport' });

const sampleRow = clientView
  .pick({ kind: true, name: true, cpf: true, cnpj: true, birth_date: true, email: true, phone_number: true, address: true })
  .extend({ row: z.number().int().describe('Number of the row; the header is 1') });

/** What an import would do. */
export const clientImportPreview = z
  .object({
    rows: z.number().int().describe('Rows below the header, up to where the file is no CSV any more'),
    valid: z.number().int().describe('Rows without a fault'),
    would_create: z.number().int().describe('Clients that the import would create; 0 where there is a fault'),
    would_skip: z.number().int().describe('Rows that it would leave out; 0 where there is a fault'),
    fault_count: z.number().int(),
    errors: z
      .array(z.object({ pointer: z.string().describe('Such as `/rows/3/cpf`'), detail: z.string() }))
      .describe('The first 100 faults'),
    sample: z.array(sampleRow).describe('The first five rows whose fields are valid, as their clients would be shown'),
  })
  .meta({ id: 'ClientImportPreview' });

const { q, kind, state, created_by, created_from, created_to } = clientListQuery.shape;

/** Query of an export: the filters of the list. */
export const clientExportQuery = z.strictObject({ q, kind, state, created_by, created_from, created_to });

const clientExportView = z
  .object({
    id: uuid,
    filters: clientExportFilters,
    reason: z.string(),
    approval_id: uuid,
    state: z.enum(['available', 'expired']),
    expires_at: timestamp,
    downloads: z.number().int().describe('How often the file was fetched'),
    last_downloaded_at: timestamp.nullable(),
    created_at: timestamp.describe('When the request was carried out'),
  })
  .meta({ id: 'ClientExport' });

/** A page of approved exports. */
export const clientExportPage = pageOf(clientExportView).meta({ id: 'ClientExportPage' });
