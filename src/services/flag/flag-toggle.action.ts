import { z } from 'zod';
import { sameJson } from '../../domain/shared/canonical.ts';
import { toggled } from '../../domain/flag/flag.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { flagBasis, flagChangeText } from './flag-change-text.queries.ts';
import { flagProductionFloor } from './flag-gate-floor.ts';
import { flagResult, lockFlag, assertFlagVersion, restoreFlag, saveFlag } from './flag.repository.ts';
import type { StoredFlag } from './flag.repository.ts';
import { changeReason, flagEnvironment, flagKey } from './flag.payload.ts';
import { rowVersion } from '../../platform/row-version-input.ts';

const flagTogglePayload = z.strictObject({
  key: flagKey,
  environment: flagEnvironment,
  enabled: z.boolean(),
  version: rowVersion,
  reason: changeReason.nullable().default(null),
});

/** Switches a flag wholly on or off: the 0/100 case of a rollout (S2-15, X-21). */
export const flagToggle = defineAction({
  name: 'flag.toggle',
  title: 'Switch a feature flag on or off',
  permission: 'flag:toggle',
  payload: flagTogglePayload,
  environment: ({ environment }) => environment,
  floor: flagProductionFloor,
  basis: flagBasis,
  reason: ({ reason }) => reason,
  describe,
  present: (db, scope, payload) =>
    flagChangeText(db, scope, payload, describe(payload), (before) => (before === null ? null : toggled(before, payload.enabled))),
  check: async (tx, payload) => {
    await lockUnchanged(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const flag = await lockUnchanged(tx, payload);
    const note = { change: 'toggled', event: 'flag.toggle', reason: payload.reason, authority } as const;
    return flagResult(saveFlag(tx, flag, toggled(flag.definition, payload.enabled), note), flag.definition);
  },
  undo: restoreFlag,
});

function describe({ key, environment, enabled, version }: z.output<typeof flagTogglePayload>): string {
  return (
    `Switch the flag '${key}' ${enabled ? 'on for everybody' : 'off'} in ${environment}, from version ${version}.`
  );
}

async function lockUnchanged(tx: Tx, payload: z.output<typeof flagTogglePayload>): Promise<StoredFlag> {
  const flag = await lockFlag(tx, payload);
  const proposed = toggled(flag.definition, payload.enabled);
  await assertFlagVersion(tx, flag, { version: payload.version, proposed, code: 'flag.version-conflict' });
  if (sameJson(flag.definition, proposed)) {
    const state = payload.enabled ? 'on for everybody' : 'off';
    throw new Problem({ code: 'resource.conflict', detail: `The flag is ${state} already.` });
  }
  return flag;
}
