import { Migration20261121090000_core } from './20261121090000_core.ts';
import { Migration20261121095000_system_data } from './20261121095000_system_data.ts';
import { Migration20261121100000_audit } from './20261121100000_audit.ts';
import { Migration20261121110000_approvals } from './20261121110000_approvals.ts';
import { Migration20261121120000_feature_flags } from './20261121120000_feature_flags.ts';
import { Migration20261121130000_mfa } from './20261121130000_mfa.ts';
import { Migration20261121140000_notifications } from './20261121140000_notifications.ts';
import { Migration20261121150000_rights_history } from './20261121150000_rights_history.ts';
import { Migration20261121150000_tracker } from './20261121150000_tracker.ts';
import { Migration20261121160000_assignment } from './20261121160000_assignment.ts';
import { Migration20261121170000_onboarding } from './20261121170000_onboarding.ts';
import { Migration20261121180000_housekeeping } from './20261121180000_housekeeping.ts';
import { Migration20261121190000_user_work_counts } from './20261121190000_user_work_counts.ts';
import { Migration20261121191000_sign_in_lookup } from './20261121191000_sign_in_lookup.ts';
import { Migration20261121200000_configuration } from './20261121200000_configuration.ts';
import { Migration20261121210000_integrations } from './20261121210000_integrations.ts';
import { Migration20261121220000_queues } from './20261121220000_queues.ts';
import { Migration20261121230000_health } from './20261121230000_health.ts';
import { Migration20261121240000_audit_retention } from './20261121240000_audit_retention.ts';
import { Migration20261121250000_field_gaps } from './20261121250000_field_gaps.ts';
import { Migration20261121260000_foundation_gaps } from './20261121260000_foundation_gaps.ts';
import { Migration20261121270000_tenant_status } from './20261121270000_tenant_status.ts';

/** The one migration chain, oldest first. Merged migrations are frozen; each has an `up` and a `down`. */
export const migrationsList = [
  { name: '20261121090000_core', class: Migration20261121090000_core },
  { name: '20261121095000_system_data', class: Migration20261121095000_system_data },
  { name: '20261121100000_audit', class: Migration20261121100000_audit },
  { name: '20261121110000_approvals', class: Migration20261121110000_approvals },
  { name: '20261121120000_feature_flags', class: Migration20261121120000_feature_flags },
  { name: '20261121130000_mfa', class: Migration20261121130000_mfa },
  { name: '20261121140000_notifications', class: Migration20261121140000_notifications },
  { name: '20261121150000_rights_history', class: Migration20261121150000_rights_history },
  { name: '20261121150000_tracker', class: Migration20261121150000_tracker },
  { name: '20261121160000_assignment', class: Migration20261121160000_assignment },
  { name: '20261121170000_onboarding', class: Migration20261121170000_onboarding },
  { name: '20261121180000_housekeeping', class: Migration20261121180000_housekeeping },
  { name: '20261121190000_user_work_counts', class: Migration20261121190000_user_work_counts },
  { name: '20261121191000_sign_in_lookup', class: Migration20261121191000_sign_in_lookup },
  { name: '20261121200000_configuration', class: Migration20261121200000_configuration },
  { name: '20261121210000_integrations', class: Migration20261121210000_integrations },
  { name: '20261121220000_queues', class: Migration20261121220000_queues },
  { name: '20261121230000_health', class: Migration20261121230000_health },
  { name: '20261121240000_audit_retention', class: Migration20261121240000_audit_retention },
  { name: '20261121250000_field_gaps', class: Migration20261121250000_field_gaps },
  { name: '20261121260000_foundation_gaps', class: Migration20261121260000_foundation_gaps },
  { name: '20261121270000_tenant_status', class: Migration20261121270000_tenant_status },
];
