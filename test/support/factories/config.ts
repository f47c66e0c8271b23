import { randomUUID } from 'node:crypto';
import type { RolloutPlan } from '../../../src/domain/config/config-rollout.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { insertRow } from './row-insertion.ts';
import type { Columns, Given, Row, Target } from './row-insertion.ts';

const atOnce: RolloutPlan = {
  strategy: { kind: 'all_at_once', bake_seconds: 0 },
  guards: [],
  check_interval_seconds: 30,
  dry_run: false,
};

/** A proposed change of the development environment, for everybody at once. */
export function createConfigProposal(
  target: Target,
  columns: Columns<'admin_config_proposals'> = {},
): Promise<Row<'admin_config_proposals'>> {
  return insertRow(target, 'admin_config_proposals', {
    tenant_id: defaultTenantId,
    plans: jsonb({ development: atOnce }),
    reason: 'a test wants it',
    ...columns,
  });
}

/** The document of a proposal. */
export function createConfigVersion(
  target: Target,
  columns: Given<'admin_config_versions', 'proposal_id'>,
): Promise<Row<'admin_config_versions'>> {
  return insertRow(target, 'admin_config_versions', {
    tenant_id: defaultTenantId,
    environment: 'development',
    config_version: 1,
    position: 0,
    schema: jsonb({}),
    document: jsonb({ limit: 1 }),
    digest: 'b'.repeat(64),
    ...columns,
  });
}

/** What an environment serves. */
export function createEnvironmentConfig(
  target: Target,
  columns: Columns<'admin_environment_configs'> = {},
): Promise<Row<'admin_environment_configs'>> {
  return insertRow(target, 'admin_environment_configs', {
    tenant_id: defaultTenantId,
    environment: 'development',
    stable_version: 1,
    last_version: 1,
    ledger_hash: '0'.repeat(64),
    ...columns,
  });
}

/** A rollout of a version. It has no workflow. */
export function createDeployment(
  target: Target,
  columns: Given<'admin_deployments', 'proposal_id' | 'config_version' | 'digest' | 'status'>,
): Promise<Row<'admin_deployments'>> {
  return insertRow(target, 'admin_deployments', {
    tenant_id: defaultTenantId,
    environment: 'development',
    kind: 'rollout',
    batch_id: randomUUID(),
    position: 0,
    plan: jsonb(atOnce),
    ...columns,
  });
}
