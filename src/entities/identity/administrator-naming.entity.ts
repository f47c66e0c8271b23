import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies } from '../shared/tenant-columns.ts';
import type { AccountLinkPurpose } from './account-link.entity.ts';

/**
 * The platform's staff name a person who is to administer a tenant (R12). It is the staff's own row; account and link are made in
 * the other tenant.
 */
export const AdministratorNamingEntity = defineEntity({
  name: 'AdministratorNaming',
  tableName: 'administrator_namings',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    /** The tenant whose administrator the person becomes. */
    named_tenant_id: p.uuid(),
    /** In lower case; the address that the staff know the person by, to which the link goes. */
    email: p.text(),
    /** Of a new account; that of an existing one stays. */
    full_name: p.text(),
    purpose: p.text().$type<AccountLinkPurpose>(),
    reason: p.text(),
    named_by: p.uuid().nullable(),
    /** The request of the staff that it was approved in; null for the first administrators of a new tenant. */
    approval_id: p.uuid().nullable(),
    /** The account in the other tenant, and the link that was sent last; null until it is sent. */
    user_id: p.uuid().nullable(),
    link_id: p.uuid().nullable(),
    sent_at: timestamp().nullable(),
    taken_back_at: timestamp().nullable(),
    taken_back_by: p.uuid().nullable(),
  },
});
