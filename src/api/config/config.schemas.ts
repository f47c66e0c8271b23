import { z } from 'zod';
import {
  configDigestText,
  configEnvironment,
  configReason,
  configVersionNumber,
  requestedPlan,
  rolloutPlan,
} from '../../services/config/config.payload.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { ledgerEvents } from '../../domain/config/config-ledger.ts';
import { rolloutStatuses } from '../../domain/config/config-rollout.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';

const percentage = z.number().describe('Share of the instances in percent');
const nullableVersion = configVersionNumber.nullable();

/** Any JSON object; its content is the tenant's own. */
const jsonObject = z.record(z.string(), z.json()).transform((value): JsonObject => value as JsonObject);

/** A deployment in lists and answers. */
export const DeploymentBody = z
  .object({
    id: uuid,
    environment: configEnvironment,
    kind: z.enum(['rollout', 'rollback', 'undo']),
    batch_id: uuid.describe('Shared by the parts of one change'),
    position: z.int().describe('Place among the parts of the change, from 0'),
    proposal_id: uuid.nullable(),
    config_version: configVersionNumber,
    previous_version: nullableVersion.describe('Version that all instances get when the rollout is aborted'),
    digest: configDigestText,
    plan: rolloutPlan,
    status: z.enum(rolloutStatuses),
    stage: z.int().describe('Index of the stage that is served; -1 before the first'),
    candidate_percentage: percentage,
    outcome: z
      .record(z.string(), z.json())
      .nullable()
      .describe(
        'How it ended, with the evidence. `undo`, if a later part of its change did not succeed: `undone`, ' +
        '`nothing_to_undo` or `changed_since`',
      ),
    reason: z.string().nullable(),
    requested_by: uuid.nullable(),
    approval_id: uuid.nullable(),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    ended_at: timestamp.nullable(),
    updated_at: timestamp,
  })
  .meta({ id: 'Deployment' });

/** A row of the ledger. */
export const LedgerRowBody = z
  .object({
    environment: configEnvironment,
    seq: z.int().describe('Counts from 1 in each environment, without gaps'),
    at: timestamp,
    event: z.enum(ledgerEvents),
    deployment_id: uuid,
    stable_version: nullableVersion,
    stable_digest: configDigestText.nullable(),
    candidate_version: nullableVersion,
    candidate_digest: configDigestText.nullable(),
    candidate_percentage: percentage,
    approval_id: uuid.nullable().describe('The request that allowed it'),
    approvers: z.array(uuid),
    actor_id: uuid.nullable().describe('User who acted; null for the rollout itself'),
    evidence: z.record(z.string(), z.json()),
    prev_hash: z.string(),
    hash: z.string().describe('SHA-256 of the row and the hash of the row before it (RFC 8785)'),
  })
  .meta({ id: 'DeploymentLedgerRow' });

/** One deployment with what happened to it. */
export const DeploymentDetailBody = DeploymentBody.extend({ ledger: z.array(LedgerRowBody) }).meta({
  id: 'DeploymentDetail',
});

/** A version, with its secrets masked. */
export const ConfigVersionBody = z
  .object({
    version: configVersionNumber,
    digest: configDigestText,
    document: z.json().describe('Secrets are replaced by {"$secret": "********", "fingerprint": …}'),
    created_at: timestamp,
  })
  .meta({ id: 'ConfigVersion' });

/** What an environment serves, and what its applications report that they run. */
export const EnvironmentConfigBody = z
  .object({
    environment: configEnvironment,
    schema: z.record(z.string(), z.json()).nullable().describe('JSON Schema (draft 2020-12) of the next document'),
    running: ConfigVersionBody.nullable().describe('Version of all instances that are not in the share of a rollout'),
    candidate: ConfigVersionBody.nullable().describe('What is being rolled out'),
    candidate_percentage: percentage,
    rollout: DeploymentBody.nullable().describe('The rollout in progress'),
    instances: z
      .array(z.object({ version: z.int().describe('Running version'), count: z.int().describe('Number of instances') }))
      .describe('What instances reported in the last hour'),
  })
  .meta({ id: 'EnvironmentConfig' });

const change = z.strictObject({
  environment: configEnvironment,
  base_version: nullableVersion.describe('The version that the change is based on; null for the first one'),
  schema: jsonObject.optional().describe('New JSON Schema; `x-secret` or `writeOnly` marks secrets'),
  document: jsonObject.describe('The whole document; the mask of a secret keeps that secret'),
  plan: requestedPlan.prefault({}),
});

/** A change of one or more environments. */
export const ProposalRequest = z
  .strictObject({
    changes: z.array(change).min(1).max(environmentNames.length).describe('Rolled out in this order'),
    reason: configReason,
  })
  .refine(({ changes }) => new Set(changes.map(({ environment }) => environment)).size === changes.length, {
    message: 'Each environment may occur once in a proposal.',
    path: ['changes'],
  })
  .meta({ id: 'ConfigProposalRequest' });

/** One part of a proposal and what it would change. */
const ProposedChangeBody = z
  .object({
    environment: configEnvironment,
    version: configVersionNumber,
    base_version: nullableVersion,
    digest: configDigestText,
    plan: rolloutPlan,
    schema_changed: z.boolean(),
    differences: z
      .array(z.object({ path: z.string(), current: z.json().optional(), proposed: z.json().optional() }))
      .describe('Compared with what runs, by JSON pointer; an absent member means that there is no value on that side'),
  })
  .meta({ id: 'ProposedConfigChange' });

/** A proposal as it is stored. */
export const ProposalBody = z
  .object({ proposal_id: uuid, reason: z.string(), changes: z.array(ProposedChangeBody) })
  .meta({ id: 'ConfigProposal' });

/** A proposal that rolls out at once, with its deployments. */
export const StartedProposalBody = ProposalBody.extend({ deployments: z.array(DeploymentBody) }).meta({
  id: 'StartedConfigProposal',
});
