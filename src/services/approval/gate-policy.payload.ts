import { z } from 'zod';
import { maximumSteps } from '../../domain/approval/approval-policy.ts';
import { lineText, uuid } from '../../platform/value-schemas.ts';

const day = 86_400;

/** The windows of a gate policy, wherever one is written. */
export const policyWindows = {
  review_window_seconds: z
    .int()
    .min(3_600)
    .max(30 * day)
    .describe('From the opening of a request to its last decision'),
  execution_window_seconds: z
    .int()
    .min(60)
    .max(30 * day)
    .describe('From the approval to the last execution'),
  reminder_interval_seconds: z
    .union([
      z.literal(0),
      z
        .int()
        .min(60)
        .max(30 * day),
    ])
    .describe('0 for no reminders'),
  bypass_review_seconds: z
    .int()
    .min(60)
    .max(30 * day)
    .describe('Time within which an emergency change must be reviewed'),
  independence_days: z
    .int()
    .min(7)
    .max(365)
    .describe('Days for which whoever changed an account through an approved request stands behind it'),
};

const ApprovalStepBody = z
  .strictObject({
    name: lineText(100),
    roles: z
      .array(z.string().min(1).max(100))
      .max(20)
      .default([])
      .describe('Codes of roles whose holders are eligible'),
    users: z.array(uuid).max(50).default([]).describe('Users who are eligible by name'),
    quorum: z.int().min(1).max(20),
  })
  .meta({ id: 'ApprovalStep' });

/** The steps of a gate policy. */
export const policySteps = z.array(ApprovalStepBody).max(maximumSteps).describe('All steps must be met, in this order');

/** Who may break the glass. */
export const bypassers = z.array(uuid).max(50).describe('Users who may break the glass; empty means nobody');
