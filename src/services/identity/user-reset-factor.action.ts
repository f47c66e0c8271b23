import { sql } from 'kysely';
import { z } from 'zod';
import { safePolicy } from '../../domain/approval/approval-gate.ts';
import { sessionsEndedNotification } from '../../domain/notification/notification.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { readAll } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { defineAction } from '../actions/action.ts';
import { putSafeguardNews } from '../approval/safeguard-news.repository.ts';
import { createNotify } from '../notification/notification-delivery.client.ts';
import { decidersBesideMakers } from './role/decider.queries.ts';
import { revokeSessions } from './sign-in/revoke-sessions.service.ts';
import { removeTotp } from './sign-in/totp-enrolment.service.ts';
import { uuid } from '../../platform/value-schemas.ts';

/** The app is named too, so that a request never removes one that was set up after it. */
const userResetFactorPayload = z.strictObject({ user_id: uuid, factor_id: uuid });

type Payload = z.output<typeof userResetFactorPayload>;

const howItWasAsked =
  'Asked with the password alone. The second factor was not proven: approve it only if you know from the person, and not by ' +
  'mail, that it is they who ask.';

/**
 * Removes the authenticator app and the recovery codes of somebody who has lost them (R4). The owner of the account asks, with
 * the password, and one decider who is apart from the owner approves; so no colleague has done anything to the account, and
 * nobody stands behind it because of this. Whoever has made the account is not asked: they may have chosen the password.
 * No gate policy can be written for it.
 */
export const userResetFactor = defineAction({
  name: 'user.reset-factor',
  title: 'Remove the lost second factor of a user',
  permission: null,
  askedWith: 'password',
  payload: userResetFactorPayload,
  environment: () => null,
  floor: () => 'approval',
  isFixed: true,
  policy: async (db, scope, { user_id }) => ({
    ...safePolicy,
    steps: [{ name: 'decider', roles: [], users: await decidersBesideMakers(db, scope, user_id), quorum: 1 }],
  }),
  // An app has no versions: it is there, or another one is.
  basis: ({ factor_id }) => ({
    base_version: 1,
    judged_by: 'version',
    query: kysely
      .selectFrom('mfa_factors')
      .where('id', '=', factor_id)
      .where('confirmed_at', 'is not', null)
      .select(sql<number>`1`.as('version')),
    detail: 'The authenticator app that was lost is not that of the account any more.',
  }),
  reason: () => null,
  describe: ({ user_id }) => `Remove the lost second factor of the user ${user_id}. ${howItWasAsked}`,
  present: async (db, scope, { user_id, factor_id }) => {
    const [[user], [factor]] = await readAll(db, scope, [
      kysely.selectFrom('users').where('id', '=', user_id).select(['full_name', 'email', 'phone_number']),
      kysely.selectFrom('mfa_factors').where('id', '=', factor_id).select('confirmed_at'),
    ] as const);
    const address = user?.email ?? user?.phone_number ?? user_id;
    return {
      description: `Remove the lost second factor of ${user?.full_name ?? user_id} (${address}). ${howItWasAsked}`,
      changes: [
        { field: 'authenticator app', before: `set up at ${factor?.confirmed_at ?? 'an unknown time'}`, after: null },
        { field: 'recovery codes', before: 'those of this app', after: null },
        { field: 'sessions', before: 'all that are open', after: null },
      ],
    };
  },
  check: async (tx, payload) => {
    await lockLostFactor(tx, payload);
  },
  execute: async (tx, payload, authority) => {
    const { user_id, factor_id } = payload;
    await lockLostFactor(tx, payload);
    await removeTotp(tx, user_id);
    const ended = await revokeSessions(tx, { user_id }, 'forced');
    putSafeguardNews(tx, 'factor-removed', { user_id });
    tx.audit({
      event: 'user.reset-factor',
      action: 'delete',
      resource_type: 'user',
      resource_id: user_id,
      old_values: { factor_id },
      new_values: {
        factor_id: null,
        sessions_ended: ended.length,
        approval_id: authority.kind === 'approval' ? authority.approval_id : null,
      },
    });
    return { user_id };
  },
  undo: () => null,
  afterCommit: async (deps, { actor, payload, change_id }) => {
    await createNotify(deps)(actor, sessionsEndedNotification(payload.user_id, 'forced', change_id), []);
  },
});

/**
 * Locks the app that is to be removed.
 *
 * @param tx of the owner of the account, who alone asks for this.
 * @throws Problem `auth.forbidden` for anybody else, 404 for an account that is not active, `mfa.not-enrolled` without an app,
 *   `resource.conflict` when another one was set up meanwhile.
 */
async function lockLostFactor(tx: Tx, { user_id, factor_id }: Payload): Promise<void> {
  if (tx.actor.user_id !== user_id) {
    const detail = 'Only its owner asks for the second factor of an account to be removed.';
    throw new Problem({ code: 'auth.forbidden', detail });
  }
  const account = await tx.sql
    .selectFrom('users')
    .where('id', '=', user_id)
    .where('status', '=', 'active')
    .select('id')
    .executeTakeFirst();
  if (account === undefined) throw notFound('user');
  const factor = await tx.sql
    .selectFrom('mfa_factors')
    .where('user_id', '=', user_id)
    .where('confirmed_at', 'is not', null)
    .select('id')
    .forUpdate()
    .executeTakeFirst();
  if (factor === undefined) throw noFactor();
  if (factor.id === factor_id) return;
  throw new Problem({ code: 'resource.conflict', detail: 'Another authenticator app was set up since this was asked for.' });
}

/** There is nothing to remove. */
export function noFactor(): Problem {
  return new Problem({
    code: 'mfa.not-enrolled',
    detail: 'This account has no authenticator app: sign in with the password and set one up.',
  });
}
