import { z } from 'zod';
import { accountActKinds } from '../../domain/approval/independence.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { idParams, proseText, timestamp, uuid } from '../../platform/value-schemas.ts';
import { accountActsQuery } from '../../services/identity/account-act/account-act.queries.ts';
import { confirmAccount } from '../../services/identity/account-act/account-confirmation.service.ts';
import { reply, route } from '../http/route.ts';

const tag = 'user';

const accountAct = z
  .object({
    id: uuid,
    kind: z.enum(accountActKinds),
    detail: z.string().nullable().describe('What was changed: role codes, masked addresses'),
    target_id: uuid.describe('The account'),
    target_name: z.string(),
    actor_id: uuid.describe('Who did it, and stands behind the account while the act is open'),
    actor_name: z.string(),
    approval_id: uuid.nullable().describe('The request that carried it out; null for what one person did alone'),
    closes_at: timestamp.nullable().describe('When it ages out; what one person did alone never does'),
    closed_at: timestamp.nullable(),
    closed_by: uuid.nullable(),
    closed_by_name: z.string().nullable(),
    close_reason: z.enum(['confirmed', 'named']).nullable(),
    is_open: z.boolean(),
    created_at: timestamp,
  })
  .meta({ id: 'AccountAct' });

const getAccountActs = route({
  operationId: 'getAccountActs',
  method: 'get',
  path: '/admin/account-acts',
  tag,
  summary: 'What people have done to accounts of others, newest first',
  description:
    'Whoever has an open act on an account stands behind it: the two do not count as two on an approval. ' +
    '`state=open` lists what waits for a confirmation.',
  permission: 'user:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    user_id: uuid.optional().describe('The account'),
    actor_id: uuid.optional().describe('Who did it'),
    state: z.enum(['open', 'closed']).optional(),
  }),
  responses: { 200: pageOf(accountAct) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, ...filter }, read }) =>
    newestPage(await read(accountActsQuery(filter, { limit, cursor })), limit),
});

const howConfirmed = {
  how: z.enum(['in_person', 'video', 'phone', 'document']).describe('How the person was recognised'),
  note: proseText(500).nullable().default(null),
};

const shownActs = z.array(uuid).min(1).max(200).describe('Ids of the open acts that were shown');

const confirmProblems = [
  'mfa.required',
  'resource.not-found',
  'account.not-apart',
  'account.nothing-to-confirm',
  'account.acts-changed',
  'tenant.naming-waits',
] as const;

const confirmUser = route({
  operationId: 'confirmUser',
  method: 'post',
  path: '/admin/users/:id/confirm',
  tag,
  summary: 'Confirm that an account is the person it says it is',
  description: 'Closes the open acts on the account. Only a decider who is apart from the account can confirm it.',
  permission: 'approval:decide',
  gate: 'mfa',
  params: idParams,
  body: z.strictObject({ ...howConfirmed, acts: shownActs }),
  responses: { 204: null },
  problems: confirmProblems,
  handler: ({ params, body: { acts, ...note }, change }) =>
    change(async (tx) => {
      await confirmAccount(tx, { user_id: params.id, acts }, note);
      return reply(204);
    }),
});

const confirmUsers = route({
  operationId: 'confirmUsers',
  method: 'post',
  path: '/admin/users/confirm',
  tag,
  summary: 'Confirm many accounts at once: all of them or none',
  permission: 'approval:decide',
  gate: 'mfa',
  body: z.strictObject({
    ...howConfirmed,
    accounts: z.array(z.strictObject({ user_id: uuid, acts: shownActs })).min(1).max(100),
  }),
  responses: { 204: null },
  problems: confirmProblems,
  handler: ({ body: { accounts, ...note }, change }) =>
    change(async (tx) => {
      for (const [index, account] of accounts.entries()) await confirmAccount(tx, account, note, `/accounts/${index}/user_id`);
      return reply(204);
    }),
});

/** Who stands behind whom, and its confirmation (R3). The router takes the last of several matching paths. */
export const accountActRoutes = [getAccountActs, confirmUser, confirmUsers];
