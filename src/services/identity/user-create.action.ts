import { z } from 'zod';
import { email, personName, phoneNumber, profileText, reasonText, timeZone, timestampInput, uuid } from '../../platform/value-schemas.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { invalidInput, unknownReference } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import { rightsOfRoles } from '../../domain/identity/role-hierarchy.ts';
import { actAuthority, defineAction } from '../actions/action.ts';
import { putNewsOfAccount } from '../approval/safeguard-news.repository.ts';
import { dependsOnSay, gateOfRoles } from './role/decider-gate.ts';
import { assertWithinOwnRights } from './role/effective-rights.service.ts';
import { assertMayAssignRoles } from './role/role-assignment.service.ts';
import { loadRoles } from './role/role.repository.ts';
import { roleTexts } from './role/role-texts.queries.ts';
import { createUserWithRoles } from './user-account.service.ts';
import { assertAddressUnused } from './user.repository.ts';

/** A role with its times, as a request keeps it; whether the times are still to come is checked when it is made. */
export const storedGrant = z.strictObject({
  role_id: uuid,
  valid_until: timestampInput.nullable().default(null),
  review_due_at: timestampInput.nullable().default(null),
  reason: reasonText.nullable().default(null),
});

const userCreatePayload = z.strictObject({
  full_name: personName,
  email: email.nullable().optional(),
  phone_number: phoneNumber.nullable().optional(),
  time_zone: timeZone.nullable().optional(),
  job_title: profileText.nullable().optional(),
  department: profileText.nullable().optional(),
  notes: z.string().max(2000).nullable().optional(),
  /** Null for somebody who signs in by an identity provider. */
  password_hash: z.string().max(500).nullable().default(null),
  roles: z.array(storedGrant).max(20).default([]),
});

type Payload = z.output<typeof userCreatePayload>;

/** Creates an account (S2-5). One that would have a say in approvals takes the approval of somebody else once there is a pair (R5). */
export const userCreate = defineAction({
  name: 'user.create',
  title: 'Create a user',
  permission: 'user:create',
  payload: userCreatePayload,
  madeByRoute: ['password_hash'],
  secret: true,
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: dependsOnSay, gate: (db, scope, { roles }) => gateOfRoles(db, scope, roles.map(({ role_id }) => role_id)) },
  reason: () => null,
  withoutReasons: ({ roles, ...account }) => ({ ...account, roles: roles.map(({ reason: _reason, ...grant }) => grant) }),
  describe: ({ full_name, roles }) => `Create the account of ${full_name} with ${roles.length} roles.`,
  present: async (db, scope, payload) => {
    const roles = await roleTexts(db, scope, payload.roles.map(({ role_id }) => role_id));
    return {
      description: `Create the account of ${payload.full_name} with the roles: ${roles.join(', ') || 'none'}.`,
      changes: [
        { field: 'name', before: null, after: payload.full_name },
        { field: 'e-mail address', before: null, after: payload.email ?? null },
        { field: 'phone number', before: null, after: payload.phone_number ?? null },
        { field: 'roles', before: null, after: roles },
      ],
    };
  },
  check: assertCreatable,
  execute: async (tx, payload, authority) => {
    await assertCreatable(tx, payload);
    const { roles, ...account } = payload;
    const user_id = await createUserWithRoles(tx, account, roles, actAuthority(authority));
    await putNewsOfAccount(tx, 'account-created', user_id);
    return { user_id };
  },
  undo: () => null,
});

async function assertCreatable(tx: Tx, { email: address, phone_number, roles }: Payload): Promise<void> {
  await assertAddressUnused(tx, 'email', address ?? null);
  await assertAddressUnused(tx, 'phone_number', phone_number ?? null);
  if (roles.length > 0) await assertMayAssignRoles(tx);
  for (const [index, grant] of roles.entries()) {
    const pointer = `/roles/${index}`;
    if (roles.findIndex(({ role_id }) => role_id === grant.role_id) < index) {
      throw invalidInput([{ pointer: `${pointer}/role_id`, detail: 'is given twice' }]);
    }
    await assertGrantable(tx, grant, pointer);
  }
}

/**
 * @param pointer where the grant is in the request; empty: it is the request.
 * @throws Problem `request.invalid` for an unknown role, `role.grant-exceeds-own`, `resource.conflict` for times that have passed.
 */
export async function assertGrantable(tx: Tx, grant: z.output<typeof storedGrant>, pointer = ''): Promise<void> {
  const roles = await loadRoles(tx);
  if (!roles.has(grant.role_id)) throw unknownReference(`${pointer}/role_id`, 'role');
  await assertWithinOwnRights(tx, rightsOfRoles(roles, [grant.role_id]).permissions);
  for (const field of ['valid_until', 'review_due_at'] as const) {
    const time = grant[field];
    if (time === null || Date.parse(time) > Date.now()) continue;
    const errors = [{ pointer: `${pointer}/${field}`, detail: 'has passed' }];
    throw new Problem({ code: 'resource.conflict', detail: 'The role would have ended already.', errors });
  }
}
