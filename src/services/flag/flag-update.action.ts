import { z } from 'zod';
import { definitionOf } from '../../domain/flag/flag.ts';
import type { FlagDefinition } from '../../domain/flag/flag.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { flagBasis, flagChangeText } from './flag-change-text.queries.ts';
import { flagProductionFloor } from './flag-gate-floor.ts';
import { flagResult, lockFlag, assertFlagVersion, restoreFlag, saveFlag } from './flag.repository.ts';
import type { StoredFlag } from './flag.repository.ts';
import { changeReason, flagDefinition, flagEnvironment, flagKey, offText } from './flag.payload.ts';
import { assertChanges } from '../../platform/row-version.ts';
import { rowVersion } from '../../platform/row-version-input.ts';

const flagUpdatePayload = z.strictObject({
  key: flagKey,
  environment: flagEnvironment,
  version: rowVersion,
  definition: flagDefinition,
  reason: changeReason.nullable().default(null),
});

/** Replaces the definition of a flag in one environment. */
export const flagUpdate = defineAction({
  name: 'flag.update',
  title: 'Change a feature flag',
  permission: 'flag:manage',
  payload: flagUpdatePayload,
  environment: ({ environment }) => environment,
  floor: flagProductionFloor,
  basis: flagBasis,
  reason: ({ reason }) => reason,
  describe,
  present: (db, scope, payload) =>
    flagChangeText(db, scope, payload, describe(payload), (before) => definitionOf(payload.definition, before)),
  check: async (tx, payload) => {
    await lockUnchanged(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const { flag, proposed } = await lockUnchanged(tx, payload);
    const note = { change: 'updated', event: 'flag.update', reason: payload.reason, authority } as const;
    return flagResult(saveFlag(tx, flag, proposed, note), flag.definition);
  },
  undo: restoreFlag,
});

function describe({ key, environment, version, definition }: z.output<typeof flagUpdatePayload>): string {
  return (
    `Change the flag '${key}' in ${environment} from version ${version}: ` +
    (definition.enabled ? `enabled for ${definition.rollout_percentage} %` : 'disabled') +
    `, ${definition.rules.length} rules, ${Object.keys(definition.variants).length} variants.` +
    offText(definition)
  );
}

async function lockUnchanged(
  tx: Tx,
  payload: z.output<typeof flagUpdatePayload>,
): Promise<{ flag: StoredFlag; proposed: FlagDefinition }> {
  const { version } = payload;
  const flag = await lockFlag(tx, payload);
  const proposed = definitionOf(payload.definition, flag.definition);
  // The version of a replacement comes from If-Match (RFC 9110), hence 412.
  await assertFlagVersion(tx, flag, { version, proposed, code: 'resource.version-mismatch' });
  if (flag.definition.value_type !== proposed.value_type) {
    throw new Problem({
      code: 'resource.conflict',
      detail: 'The type of a flag cannot change: applications rely on it.',
      errors: [{ pointer: '/value_type', detail: `must stay ${flag.definition.value_type}` }],
    });
  }
  assertChanges(flag.definition, proposed, 'flag');
  return { flag, proposed };
}
