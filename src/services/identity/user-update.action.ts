import { sql } from 'kysely';
import { z } from 'zod';
import { email, personName, phoneNumber, profileText, timeZone, uuid } from '../../platform/value-schemas.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { rowVersion } from '../../platform/row-version-input.ts';
import { actAuthority, defineAction } from '../actions/action.ts';
import { putNewsOfAccount } from '../approval/safeguard-news.repository.ts';
import { dependsOnDecider, gateOfAccount } from './role/decider-gate.ts';
import { assertUpdatable, changesAddress, updateUser } from './user-account.service.ts';
import { followStatusChange } from './offboarding.service.ts';

const userUpdatePayload = z.strictObject({
  user_id: uuid,
  version: rowVersion,
  full_name: personName.optional(),
  email: email.nullable().optional(),
  phone_number: phoneNumber.nullable().optional(),
  time_zone: timeZone.nullable().optional(),
  job_title: profileText.nullable().optional(),
  department: profileText.nullable().optional(),
  notes: z.string().max(2000).nullable().optional(),
  status: z.enum(['active', 'inactive']).optional(),
});

type Payload = z.output<typeof userUpdatePayload>;

async function present(db: ReadSource, scope: ReadScope, payload: Payload) {
  const { user_id, version: _version, ...changes } = payload;
  const [before] = await read(db, scope, accountQuery(user_id));
  const shown = before ?? { full_name: user_id };
  return {
    description: `Change the account of ${shown.full_name}.`,
    changes: Object.entries(changes).flatMap(([field, after]) =>
      after === undefined ? [] : [{ field: field.replaceAll('_', ' '), before: (shown as Record<string, string | null>)[field] ?? null, after }],
    ),
  };
}

function accountQuery(userId: string) {
  return kysely
    .selectFrom('users as u')
    .leftJoin('admin_users as p', 'p.user_id', 'u.id')
    .where('u.id', '=', userId)
    .select(['u.full_name', 'u.email', 'u.phone_number', 'u.time_zone', 'u.status'])
    .select(['p.job_title', 'p.department', 'p.notes']);
}

const columns = {
  full_name: ['u.full_name'],
  // A new address is pending first, and replaces another that is.
  email: ['u.email', 'u.pending_email'],
  phone_number: ['u.phone_number'],
  time_zone: ['u.time_zone'],
  job_title: ['p.job_title'],
  department: ['p.department'],
  notes: ['p.notes'],
  status: ['u.status'],
} as const;

/** The present values of what a change replaces. The person's own texts are no part of a deactivation, which they could hold up. */
function touchedBy(payload: Payload) {
  const fields = (Object.keys(columns) as (keyof typeof columns)[]).filter((field) => payload[field] !== undefined);
  const values = fields.flatMap((field) => columns[field]).map((column) => sql`${sql.lit(column)}::text, ${sql.ref(column)}`);
  return sql<JsonObject>`jsonb_build_object(${sql.join(values)})`;
}

/**
 * Changes an account (S2-6). Address, number and status of a decider are changed by two persons once there is a pair (R4): who
 * has changed them could act as the person. Texts of anybody take a second factor.
 */
export const userUpdate = defineAction({
  name: 'user.update',
  title: 'Change a user',
  permission: 'user:update',
  payload: userUpdatePayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: {
    depends_on: dependsOnDecider,
    gate: async (db, scope, payload) => {
      const [before] = await read(db, scope, accountQuery(payload.user_id));
      const changesStatus = payload.status !== undefined && payload.status !== before?.status;
      if (before === undefined || !(changesStatus || changesAddress(before, payload))) return 'mfa';
      return gateOfAccount(db, scope, payload.user_id);
    },
  },
  basis: (payload) => ({
    base_version: payload.version,
    judged_by: 'touched',
    query: accountQuery(payload.user_id).select(['u.version', touchedBy(payload).as('touched')]),
  }),
  reason: () => null,
  describe: ({ user_id }) => `Change the account of the user ${user_id}.`,
  present,
  check: async (tx, { user_id, version, ...changes }) => {
    await assertUpdatable(tx, user_id, version, changes);
  },
  execute: async (tx, { user_id, version, ...changes }, authority) => {
    const { is_guarded } = await updateUser(tx, user_id, version, changes, actAuthority(authority));
    if (is_guarded) await putNewsOfAccount(tx, 'account-changed', user_id);
    return { user_id };
  },
  undo: () => null,
  afterCommit: followStatusChange,
});
