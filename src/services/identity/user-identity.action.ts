import { z } from 'zod';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { notFound, taken } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { actAuthority, defineAction } from '../actions/action.ts';
import { putNewsOfAccount } from '../approval/safeguard-news.repository.ts';
import { dependsOnDecider, gateOfAccount } from './role/decider-gate.ts';
import { assertNotSelf, assertNotStronger } from './role/effective-rights.service.ts';
import { linkIdentity, unlinkIdentity } from './user-identity.service.ts';
import { userName } from './user-names.queries.ts';
import { assertUserExists } from './user.repository.ts';
import { uuid } from '../../platform/value-schemas.ts';

const linkPayload = z.strictObject({
  user_id: uuid,
  issuer: z.url().max(500),
  subject: z.string().min(1).max(255),
});

/** Lets an external account sign a person in; for a decider by two persons once there is a pair (R4). */
export const userLinkIdentity = defineAction({
  name: 'user.link-identity',
  title: 'Link an external account to a user',
  permission: 'user:update',
  payload: linkPayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: dependsOnDecider, gate: (db, scope, { user_id }) => gateOfAccount(db, scope, user_id) },
  reason: () => null,
  describe: ({ user_id, issuer }) => `Let an account at ${issuer} sign in as the user ${user_id}.`,
  present: async (db, scope, { user_id, issuer, subject }) => ({
    description: `Let an account at ${issuer} sign in as ${await userName(db, scope, user_id)}.`,
    changes: [{ field: 'external account', before: null, after: `${subject} at ${issuer}` }],
  }),
  check: async (tx, { user_id, issuer, subject }) => {
    await assertUserExists(tx, user_id);
    await assertNotStronger(tx, user_id);
    const linked = await tx.sql
      .selectFrom('user_identities')
      .where('issuer', '=', issuer)
      .where('subject', '=', subject)
      .select('id')
      .executeTakeFirst();
    if (linked !== undefined) {
      throw taken('subject', 'This external account signs somebody in already.');
    }
  },
  execute: async (tx, { user_id, ...account }, authority) => {
    const { id, issuer, subject, created_at } = await linkIdentity(tx, user_id, account, actAuthority(authority));
    await putNewsOfAccount(tx, 'account-linked', user_id);
    return { id, issuer, subject, created_at };
  },
  undo: ({ user_id }, { id }) => ({ action: 'user.unlink-identity', payload: { user_id, identity_id: id ?? '' } }),
});

const unlinkPayload = z.strictObject({ user_id: uuid, identity_id: uuid });

/** Stops an external account from signing a person in; for a decider by two persons once there is a pair (R4). */
export const userUnlinkIdentity = defineAction({
  name: 'user.unlink-identity',
  title: 'Unlink an external account from a user',
  permission: 'user:update',
  payload: unlinkPayload,
  environment: () => null,
  floor: () => 'mfa',
  demands: { depends_on: dependsOnDecider, gate: (db, scope, { user_id }) => gateOfAccount(db, scope, user_id) },
  reason: () => null,
  describe: ({ user_id }) => `Stop an external account from signing in as the user ${user_id}.`,
  present: async (db, scope, { user_id, identity_id }) => {
    const [identity] = await read(
      db,
      scope,
      kysely.selectFrom('user_identities').where('id', '=', identity_id).select(['issuer', 'subject']),
    );
    const account = identity === undefined ? identity_id : `${identity.subject} at ${identity.issuer}`;
    return {
      description: `Stop an external account from signing in as ${await userName(db, scope, user_id)}, and end the user's sessions.`,
      changes: [{ field: 'external account', before: account, after: null }],
    };
  },
  check: async (tx, { user_id, identity_id }) => {
    assertNotSelf(tx, user_id);
    await assertNotStronger(tx, user_id);
    await assertLinked(tx, user_id, identity_id);
  },
  execute: async (tx, { user_id, identity_id }) => {
    await unlinkIdentity(tx, user_id, identity_id);
    await putNewsOfAccount(tx, 'account-unlinked', user_id);
    return { user_id };
  },
  undo: () => null,
});

async function assertLinked(tx: Tx, userId: string, identityId: string): Promise<void> {
  const linked = await tx.sql
    .selectFrom('user_identities')
    .where('id', '=', identityId)
    .where('user_id', '=', userId)
    .select('id')
    .executeTakeFirst();
  if (linked === undefined) throw notFound('identity');
}
