import { z } from 'zod';
import { sameJson } from '../../domain/shared/canonical.ts';
import { toggled } from '../../domain/flag/flag.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { openBreakGlassReview } from '../approval/break-glass-review.service.ts';
import type { FlagPlace } from './flag.queries.ts';
import { flagResult, lockFlag, saveFlag } from './flag.repository.ts';
import type { StoredFlag } from './flag.repository.ts';
import { effectiveGate, gatePolicyQuery } from '../actions/gate-policy.ts';
import { changeReason, flagEnvironment, flagKey } from './flag.payload.ts';

const flagEmergencyOffPayload = z.strictObject({
  key: flagKey,
  environment: flagEnvironment,
  reason: changeReason,
});

/**
 * Switches a flag off at once, whatever its gate, and opens a review of that. It names no version: in an emergency the
 * flag goes off whatever somebody else has just changed. Switching it on again takes the ordinary gate. A flag that is not
 * safe to switch off has no emergency-off (R8).
 */
export const flagEmergencyOff = defineAction({
  name: 'flag.emergency-off',
  title: 'Switch a feature flag off in an emergency',
  permission: 'flag:emergency-off',
  payload: flagEmergencyOffPayload,
  environment: ({ environment }) => environment,
  floor: () => 'mfa',
  emergency: true,
  reason: ({ reason }) => reason,
  describe: ({ key, environment }) => `Switch the flag '${key}' off in ${environment} in an emergency.`,
  check: async (tx, payload) => {
    await lockSafeToSwitchOff(tx, payload);
  },
  execute: async (tx, { key, environment, reason }, authority) => {
    const flag = await lockSafeToSwitchOff(tx, { key, environment });
    const off = toggled(flag.definition, false);
    if (sameJson(flag.definition, off))
      throw new Problem({ code: 'resource.conflict', detail: 'The flag is off already.' });
    const note = { change: 'emergency_off', event: 'flag.emergency-off', reason, authority } as const;
    const saved = saveFlag(tx, flag, off, note);
    const { rows } = await tx.sql.executeQuery(gatePolicyQuery('flag.emergency-off', environment).compile());
    const { policy } = effectiveGate(flagEmergencyOff, environment, rows[0]);
    const review_id = await openBreakGlassReview(tx, {
      kind: 'emergency_off',
      approval_id: null,
      subject: `feature flag ${key} in ${environment}`,
      reason,
      due_in_seconds: policy.bypass_review_seconds,
    });
    return { ...flagResult(saved, flag.definition), review_id };
  },
  undo: () => null,
});

async function lockSafeToSwitchOff(tx: Tx, place: FlagPlace): Promise<StoredFlag> {
  const flag = await lockFlag(tx, place);
  if (flag.definition.off_is_safe) return flag;
  throw new Problem({
    code: 'flag.off-not-safe',
    detail:
      `Switching the flag '${place.key}' off in ${place.environment} is not safe, so it has no emergency-off. Change it ` +
      'through its ordinary gate: POST /admin/feature-flags/{key}/toggle.',
  });
}
