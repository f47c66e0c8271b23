import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { Authority } from '../actions/action.ts';
import { getAction } from '../actions/registry.ts';
import { runAction } from '../actions/run-action.ts';
import { flagColumns } from './flag.queries.ts';
import type { FlagPlace } from './flag.queries.ts';

/**
 * Runs a flag action on the authority of the gate that let the caller in.
 *
 * @returns the flag as it is afterwards.
 */
export async function changeFlag(tx: Tx, action: string, payload: FlagPlace, by: GateLevel | Authority) {
  const prepared = getAction(action).prepare(payload);
  await runAction(tx, prepared, typeof by === 'string' ? { kind: by === 'none' ? 'none' : 'mfa' } : by);
  return tx.sql
    .selectFrom('admin_feature_flags')
    .where('key', '=', payload.key)
    .where('environment', '=', payload.environment)
    .select(flagColumns)
    .executeTakeFirstOrThrow();
}
