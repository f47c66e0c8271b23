import { defineEntity, p, tenantColumns, tenantPolicies, versionedColumns } from '../shared/tenant-columns.ts';

/** How long onboarding links of a tenant live (S3-51); a tenant without a row has the defaults of the product. Seconds. */
export const OnboardingSettingsEntity = defineEntity({
  name: 'OnboardingSettings',
  tableName: 'onboarding_settings',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    default_life_seconds: p.integer(),
    max_step_seconds: p.integer(),
    max_life_seconds: p.integer(),
    ...versionedColumns,
  },
});
