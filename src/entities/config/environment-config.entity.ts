import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import type { LedgerEvent } from '../../domain/config/config-ledger.ts';
import type { RolloutPlan, RolloutStatus } from '../../domain/config/config-rollout.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { jsonb, timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies, updatedAt, versionedColumns } from '../shared/tenant-columns.ts';

const environment = () => p.text().$type<EnvironmentName>();

/** The plan of each environment of a proposal. */
export type ProposedPlans = Partial<Record<EnvironmentName, RolloutPlan>>;

/** A proposed change of one or more environments; its parts are config versions. Never changed. */
export const ConfigProposalEntity = defineEntity({
  name: 'ConfigProposal',
  tableName: 'admin_config_proposals',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    plans: jsonb<ProposedPlans>(),
    reason: p.text(),
    proposed_by: p.uuid().nullable(),
  },
});

/**
 * A configuration document with the schema it satisfies. In `document` secrets are masked; their values are sealed by
 * JSON pointer in `secrets_ciphertext`. Never changed.
 */
export const ConfigVersionEntity = defineEntity({
  name: 'ConfigVersion',
  tableName: 'admin_config_versions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    environment: environment(),
    config_version: p.integer(),
    proposal_id: p.uuid(),
    position: p.integer(),
    base_version: p.integer().nullable(),
    schema: jsonb<JsonObject>(),
    document: jsonb<JsonValue>(),
    secrets_ciphertext: p.text().nullable(),
    digest: p.text(),
  },
});

/** What an environment serves, and the fence that every write of a rollout must name (S2-52). */
export const EnvironmentConfigEntity = defineEntity({
  name: 'EnvironmentConfig',
  tableName: 'admin_environment_configs',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    environment: environment(),
    stable_version: p.integer().nullable(),
    candidate_version: p.integer().nullable(),
    candidate_percentage: p.float().columnType('double precision').default(0),
    /** The deployment whose id is part of the hash that picks instances. */
    deployment_id: p.uuid().nullable(),
    fence: p.integer().default(0),
    ledger_seq: p.integer().default(0),
    ledger_hash: p.text(),
    last_version: p.integer().default(0),
    ...versionedColumns,
  },
});

/** Where a deployment comes from: a proposal, a rollback, or the undo of a change in several parts. */
export type DeploymentKind = 'rollout' | 'rollback' | 'undo';

/** One rollout of one version into one environment (S2-52). */
export const DeploymentEntity = defineEntity({
  name: 'Deployment',
  tableName: 'admin_deployments',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    environment: environment(),
    kind: p.text().$type<DeploymentKind>(),
    batch_id: p.uuid(),
    position: p.integer(),
    proposal_id: p.uuid().nullable(),
    config_version: p.integer(),
    previous_version: p.integer().nullable(),
    digest: p.text(),
    plan: jsonb<RolloutPlan>(),
    status: p.text().$type<RolloutStatus>().default('pending'),
    stage: p.integer().default(-1),
    step: p.integer().default(0),
    candidate_percentage: p.float().columnType('double precision').default(0),
    fence: p.integer().nullable(),
    run_id: p.text().nullable(),
    outcome: jsonb<JsonObject>().nullable(),
    reason: p.text().nullable(),
    requested_by: p.uuid().nullable(),
    approval_id: p.uuid().nullable(),
    started_at: timestamp().nullable(),
    ended_at: timestamp().nullable(),
    ...updatedAt,
  },
});

/** A row of the ledger, hash-linked to the one before it in its environment (S2-61). Never changed. */
export const DeploymentEventEntity = defineEntity({
  name: 'DeploymentEvent',
  tableName: 'admin_deployment_events',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    environment: environment(),
    seq: p.integer(),
    at: timestamp(),
    event: p.text().$type<LedgerEvent>(),
    deployment_id: p.uuid(),
    stable_version: p.integer().nullable(),
    stable_digest: p.text().nullable(),
    candidate_version: p.integer().nullable(),
    candidate_digest: p.text().nullable(),
    candidate_percentage: p.float().columnType('double precision'),
    approval_id: p.uuid().nullable(),
    approvers: jsonb<string[]>(),
    actor_id: p.uuid().nullable(),
    evidence: jsonb<JsonObject>(),
    prev_hash: p.text(),
    hash: p.text(),
  },
});

/** The version that an instance of an application has reported last. */
export const ConfigReportEntity = defineEntity({
  name: 'ConfigReport',
  tableName: 'admin_config_reports',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    environment: environment(),
    instance: p.text(),
    config_version: p.integer(),
    reported_at: timestamp().defaultRaw('now()'),
  },
});
