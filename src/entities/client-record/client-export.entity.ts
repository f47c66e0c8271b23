import type { ClientExportFilters } from '../../domain/client-record/client-export.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** An approved export of client records with full CPF. It holds no client: the file is made when it is fetched. */
export const ClientExportEntity = defineEntity({
  name: 'ClientExport',
  tableName: 'client_exports',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    filters: jsonb<ClientExportFilters>(),
    reason: p.text(),
    /** The only person who may fetch the file. */
    requested_by: p.uuid(),
    approval_id: p.uuid(),
    expires_at: timestamp(),
    downloads: p.integer().default(0),
    last_downloaded_at: timestamp().nullable(),
    ...versionedColumns,
  },
});
