import { z } from 'zod';
import { gateConditions } from '../../services/actions/action.ts';
import { gateLevels } from '../../domain/approval/approval-gate.ts';
import { defaultWindows } from '../../domain/approval/approval-policy.ts';
import { environmentNames } from '../../domain/shared/environment.ts';
import { timestamp, uuid } from '../../platform/value-schemas.ts';
import { bypassers, policySteps, policyWindows } from '../../services/approval/gate-policy.payload.ts';
import { shownWindows } from './approval.schemas.ts';

const environment = z.enum(['any', ...environmentNames]);

/** A gate policy to be written. */
export const GatePolicyInput = z
  .strictObject({
    action: z.string().min(1).max(100),
    environment: environment.default('any').describe('`any` applies to environments without a policy of their own'),
    gate: z.enum(gateLevels),
    steps: policySteps.default([]),
    review_window_seconds: policyWindows.review_window_seconds.default(defaultWindows.review_window_seconds),
    execution_window_seconds: policyWindows.execution_window_seconds.default(defaultWindows.execution_window_seconds),
    reminder_interval_seconds: policyWindows.reminder_interval_seconds.default(
      defaultWindows.reminder_interval_seconds,
    ),
    bypass_review_seconds: policyWindows.bypass_review_seconds.default(defaultWindows.bypass_review_seconds),
    independence_days: policyWindows.independence_days.default(defaultWindows.independence_days),
    bypassers: bypassers.default([]),
    version: z.int().min(0).describe('The version that was read; 0 for a policy that does not exist yet'),
  })
  .meta({ id: 'ApprovalPolicyInput' });

/** A gate policy as it is displayed. */
export const GatePolicyBody = z
  .object({
    id: uuid,
    action: z.string(),
    environment,
    gate: z.enum(gateLevels),
    steps: policySteps,
    ...shownWindows,
    independence_days: z.int(),
    bypassers,
    updated_by: uuid.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    version: z.int(),
  })
  .meta({ id: 'ApprovalPolicy' });

const gateNow = z.enum(gateLevels);

const byEnvironment = z.object({ any: gateNow, development: gateNow, staging: gateNow, production: gateNow }).nullable();

/** One changing endpoint with its gate, as the manifest of gates lists it. */
export const GateBody = z
  .object({
    operation_id: z.string(),
    method: z.string(),
    path: z.string(),
    permission: z.string(),
    gate: z
      .enum(['none', 'mfa', 'own-factor', 'policy'])
      .describe(
        '`own-factor`: a second factor, from those who could prove one; `policy`: depends on the gate policy of the environment',
      ),
    action: z.string().nullable(),
    by_environment: byEnvironment.describe('Gate that applies now in this tenant, unless the change demands more'),
    default_by_environment: byEnvironment.describe('Gate without a gate policy'),
    floor_by_environment: byEnvironment.describe('Weakest gate that a gate policy may set'),
    depends_on: z
      .array(z.enum(gateConditions))
      .describe(
        'What may raise the gate of a single change to `approval`: it touches the right to decide (`decider`, `rights`), ' +
          'or who is eligible by a policy (`eligible`), of a tenant with two independent administrators (`pair`), ' +
          'weakens a gate (`weaker`), concerns production ' +
          '(`environment`), or goes back to what was not approved recently (`rollback_target`)',
      ),
  })
  .meta({ id: 'Gate' });
