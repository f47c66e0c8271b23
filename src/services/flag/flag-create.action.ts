import { z } from 'zod';
import { definitionOf } from '../../domain/flag/flag.ts';
import { Problem, taken } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { defineAction } from '../actions/action.ts';
import { flagBasis, flagChangeText } from './flag-change-text.queries.ts';
import { flagProductionFloor } from './flag-gate-floor.ts';
import { flagResult, insertFlag } from './flag.repository.ts';
import type { FlagPlace } from './flag.queries.ts';
import { changeReason, flagDefinition, flagEnvironment, flagKey, offText } from './flag.payload.ts';

const flagCreatePayload = z.strictObject({
  key: flagKey,
  environment: flagEnvironment,
  definition: flagDefinition,
  reason: changeReason.nullable().default(null),
});

/**
 * Adds a flag to one environment. There is no undo: a flag is switched off and not deleted, so that its history stays.
 */
export const flagCreate = defineAction({
  name: 'flag.create',
  title: 'Create a feature flag in an environment',
  permission: 'flag:manage',
  payload: flagCreatePayload,
  environment: ({ environment }) => environment,
  floor: flagProductionFloor,
  reason: ({ reason }) => reason,
  describe,
  present: (db, scope, payload) =>
    flagChangeText(db, scope, payload, describe(payload), () => definitionOf(payload.definition, null)),
  basis: (payload) => flagBasis({ ...payload, version: null }),
  check: assertKeyUnused,
  execute: async (tx, payload, authority) => {
    await assertKeyUnused(tx, payload);
    const note = { change: 'created', event: 'flag.create', reason: payload.reason, authority } as const;
    return flagResult(await insertFlag(tx, payload, definitionOf(payload.definition, null), note), null);
  },
  undo: () => null,
});

function describe({ key, environment, definition }: z.output<typeof flagCreatePayload>): string {
  return (
    `Create the ${definition.value_type} flag '${key}' in ${environment}, ` +
    (definition.enabled ? `enabled for ${definition.rollout_percentage} %.` : 'disabled.') +
    offText(definition)
  );
}

/** A key means one thing in one environment, and a value of one type in all of them. */
async function assertKeyUnused(tx: Tx, payload: z.output<typeof flagCreatePayload>): Promise<void> {
  const { key, environment, definition }: FlagPlace & { definition: { value_type: string } } = payload;
  const siblings = await tx.sql
    .selectFrom('admin_feature_flags')
    .where('key', '=', key)
    .select(['environment', 'value_type'])
    .execute();
  if (siblings.some((sibling) => sibling.environment === environment)) {
    throw taken('key', `A flag '${key}' exists in ${environment} already.`);
  }
  const other = siblings.find((sibling) => sibling.value_type !== definition.value_type);
  if (other === undefined) return;
  throw new Problem({
    code: 'resource.conflict',
    detail: `'${key}' is a ${other.value_type} flag in ${other.environment}; it must have the same type everywhere.`,
    errors: [{ pointer: '/value_type', detail: `must be ${other.value_type}, as in ${other.environment}` }],
  });
}
