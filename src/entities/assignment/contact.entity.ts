import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** A person outside the tenant, owned by at most one of its users. A deleted row stays. */
export const ContactEntity = defineEntity({
  name: 'Contact',
  tableName: 'contacts',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    name: p.text(),
    /** Unique in the tenant, whatever its case. */
    email: p.text().nullable(),
    phone_number: p.text().nullable(),
    company: p.text().nullable(),
    /** Where the contact came from, e.g. `fair-2026`. */
    source: p.text().nullable(),
    notes: p.text().nullable(),
    created_by: p.uuid().nullable(),
    ...versionedColumns,
    deleted_at: timestamp().nullable(),
  },
});
