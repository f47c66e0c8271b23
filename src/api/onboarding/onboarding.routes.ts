import { sql } from 'kysely';
import { z } from 'zod';
import { createOnboardingLink, extendOnboardingLink } from '../../services/onboarding/onboarding-link.service.ts';
import { onboardingRevoke } from '../../services/onboarding/onboarding-revoke.action.ts';
import { openOnboardingQuery } from '../../services/onboarding/onboarding-access.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { defaultOnboardingTiming, isOpenOnboarding, onboardingLifeLimits, onboardingStatuses } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingStatus } from '../../domain/onboarding/onboarding.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { sendOnboardingSignal } from '../../services/onboarding/onboarding-link.client.ts';
import {
  NewOnboardingLink,
  OnboardingLinkBody,
  OnboardingLinkDetail,
  OnboardingLinkItem,
  onboardingLinksQuery,
  presentOnboardingLink,
} from './onboarding.schemas.ts';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { email, moment } from '../../platform/value-schemas.ts';
import { onboardingPublicRoutes } from './onboarding-public.routes.ts';
import { onboardingSettingsRoutes } from './onboarding-settings.routes.ts';

const tag = 'onboarding';
const path = '/api/admin/onboarding';
const linkParams = z.object({ link_id: z.uuid() });
const day = 24 * 3600;
const stepSeconds = z
  .int()
  .min(onboardingLifeLimits.minSeconds)
  .max(onboardingLifeLimits.maxSeconds)
  .nullable()
  .default(null);
const shownAccesses = 100;

type Context = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps'>;

/** Managers see every link; whoever may only read sees his own, which the table itself makes sure of (S3-46). */
const scopeQuery = ({ permissions }: Actor) =>
  permissions.includes('onboarding:manage') ? openOnboardingQuery : query.selectNoFrom(sql<number>`1`.as('own'));

async function showLink({ actor, deps }: Context, id: string) {
  const [, [row]] = await readAll(deps.db, actor, [scopeQuery(actor), onboardingLinksQuery().where('id', '=', id)] as const);
  if (row === undefined) throw notFound('onboarding link');
  return presentOnboardingLink(row, deps.now());
}

const createLink = route({
  operationId: 'createOnboardingLink',
  method: 'post',
  path: `${path}/create-link`,
  tag,
  summary: 'Create an onboarding link; its address is shown once',
  description:
    'With `account`, completing the link creates an account: that needs user:create and role:assign too. Roles of ' +
    'administrators wait for an approval (`onboarding.grant-roles`) after completion.',
  permission: 'onboarding:manage',
  gate: 'none',
  body: z
    .strictObject({
      recipient_name: z.string().trim().min(1).max(200),
      recipient_email: email.nullable().default(null).describe('Who is reminded, and the address of the account'),
      purpose: z.string().trim().min(1).max(200),
      life_seconds: stepSeconds.describe('How long the link lives; null for the time in the settings, which also bound it'),
      capabilities: z.array(z.enum(['save_progress', 'complete'])).max(2).default(['save_progress', 'complete']),
      account: z
        .strictObject({
          roles: z
            .array(z.strictObject({ role_id: z.uuid(), valid_until: moment.nullable().default(null) }))
            .max(20)
            .default([]),
          campaign_ids: z.array(z.uuid()).max(50).default([]).describe('Campaigns whose pool the newcomer joins'),
        })
        .nullable()
        .default(null),
      timing: z
        .strictObject({
          first_reminder_seconds: z.int().min(60).max(90 * day).default(defaultOnboardingTiming.first_reminder_seconds),
          reminder_interval_seconds: z.int().min(60).max(90 * day).default(defaultOnboardingTiming.reminder_interval_seconds),
          max_reminders: z.int().min(0).max(20).default(defaultOnboardingTiming.max_reminders),
          warning_seconds: z.int().min(60).max(30 * day).default(defaultOnboardingTiming.warning_seconds),
        })
        .prefault({}),
    })
    .refine(({ account, recipient_email }) => account === null || recipient_email !== null, {
      message: 'An account needs an e-mail address.',
      path: ['recipient_email'],
    })
    .meta({ id: 'OnboardingLinkCreation' }),
  responses: { 201: NewOnboardingLink },
  problems: ['auth.forbidden', 'role.grant-exceeds-own', 'resource.conflict', 'resource.not-found'],
  // The answer is a secret: it is not kept for a repetition.
  idempotency: false,
  handler: async ({ actor, body, deps, unitOfWork }) => {
    const creator = personOf(actor, body.account !== null);
    const { capabilities, ...link } = body;
    const { row, token } = await unitOfWork((tx) =>
      createOnboardingLink(
        tx,
        creator,
        {
          ...link,
          capabilities: [...new Set(capabilities), ...(body.account === null ? [] : (['create_account'] as const))],
        },
        deps.now(),
      ),
    );
    await sendOnboardingSignal(deps, { tenant_id: actor.tenant_id, link_id: row.id });
    const url = new URL(`${path}/o/${token}`, deps.env.PUBLIC_URL).href;
    return reply(201, { ...presentOnboardingLink(row, deps.now()), token, url }, { location: `${path}/link/${row.id}` });
  },
});

/** @throws Problem `auth.forbidden` for a service token, and for who could not create the account by hand. */
function personOf({ user_id, permissions }: Actor, createsAccount: boolean): string {
  if (user_id === null) {
    throw new Problem({ code: 'auth.forbidden', detail: 'A link is made by a person, who is told what becomes of it.' });
  }
  const missing = (['user:create', 'role:assign'] as const).find((permission) => !permissions.includes(permission));
  if (createsAccount && missing !== undefined) {
    throw new Problem({ code: 'auth.forbidden', detail: `A link that creates an account needs the permission ${missing}.` });
  }
  return user_id;
}

const getLinks = route({
  operationId: 'getOnboardingLinks',
  method: 'get',
  path: `${path}/links`,
  tag,
  summary: 'Onboarding links, newest first; without onboarding:manage the own ones',
  permission: 'onboarding:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    status: z.enum(onboardingStatuses).optional(),
    created_by: z.uuid().optional(),
    recipient_email: email.optional(),
  }),
  responses: { 200: pageOf(OnboardingLinkItem) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, deps, query: { limit, cursor, status, created_by, recipient_email } }) => {
    const [, rows] = await readAll(deps.db, actor, [
      scopeQuery(actor),
      onboardingLinksQuery()
        .$if(status !== undefined, (q) => q.where(hasShownStatus(status ?? 'pending')))
        .$if(created_by !== undefined, (q) => q.where('created_by', '=', created_by ?? ''))
        .$if(recipient_email !== undefined, (q) => q.where('recipient_email', '=', recipient_email ?? ''))
        .$call(newestFirst({ limit, cursor })),
    ] as const);
    return newestPage(rows, limit, (row) => presentOnboardingLink(row, deps.now()));
  },
});

/** The rule of `shownOnboardingStatus` in SQL. */
function hasShownStatus(status: OnboardingStatus) {
  const isOpen = sql<boolean>`status in ('pending', 'opened', 'in_progress')`;
  if (status === 'expired') return sql<boolean>`(status = 'expired' or (${isOpen} and expires_at <= now()))`;
  if (!isOpenOnboarding(status)) return sql<boolean>`status = ${status}`;
  const shown = sql`case when status = 'pending' and first_accessed_at is not null then 'opened' else status end`;
  return sql<boolean>`(${isOpen} and expires_at > now() and ${shown} = ${status})`;
}

const getLink = route({
  operationId: 'getOnboardingLink',
  method: 'get',
  path: `${path}/link/:link_id`,
  tag,
  summary: 'One link with its progress and the accesses to it, refused ones included',
  permission: 'onboarding:read',
  gate: 'none',
  params: linkParams,
  responses: { 200: OnboardingLinkDetail },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { link_id } }) => {
    const [, [row], accesses] = await readAll(deps.db, actor, [
      scopeQuery(actor),
      onboardingLinksQuery().where('id', '=', link_id),
      query
        .selectFrom('onboarding_link_access')
        .where('link_id', '=', link_id)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(shownAccesses)
        .select(['created_at as at', 'ip', 'user_agent', 'outcome']),
    ] as const);
    if (row === undefined) throw notFound('onboarding link');
    return { ...presentOnboardingLink(row, deps.now()), accesses };
  },
});

const revokeLink = route({
  operationId: 'revokeOnboardingLink',
  method: 'post',
  path: `${path}/link/:link_id/revoke`,
  tag,
  summary: 'Revoke a link for good',
  permission: 'onboarding:manage',
  gate: {
    action: onboardingRevoke.name,
    payload: ({ params, body }) => ({ link_id: params.link_id, reason: body.reason }),
  },
  params: linkParams,
  body: z.strictObject({ reason: z.string().trim().min(1).max(500).nullable().default(null) }).prefault({}),
  responses: { 200: OnboardingLinkBody, 202: ApprovalBody },
  problems: ['resource.not-found', 'onboarding.closed'],
  handler: async (context) => {
    const { body, params } = context;
    const change = onboardingRevoke.prepare({ link_id: params.link_id, reason: body.reason });
    await runGatedAction(context, change);
    return showLink(context, params.link_id);
  },
});

const extendLink = route({
  operationId: 'extendOnboardingLink',
  method: 'post',
  path: `${path}/link/:link_id/extend`,
  tag,
  summary: 'Give a link more time; an expired one lives again',
  permission: 'onboarding:manage',
  gate: 'none',
  params: linkParams,
  body: z
    .strictObject({ extend_seconds: stepSeconds.describe('How much time; null for the default life in the settings') })
    .prefault({})
    .meta({ id: 'OnboardingLinkExtension' }),
  responses: { 200: OnboardingLinkBody },
  problems: ['resource.not-found', 'onboarding.closed', 'onboarding.life-spent'],
  handler: async ({ actor, body, deps, params: { link_id }, unitOfWork }) => {
    const row = await unitOfWork((tx) => extendOnboardingLink(tx, link_id, body.extend_seconds, deps.now()));
    await sendOnboardingSignal(deps, { tenant_id: actor.tenant_id, link_id });
    return presentOnboardingLink(row, deps.now());
  },
});

/** Onboarding links, for those who send them and those who got one (S3-15..22). */
export const onboardingRoutes = [
  createLink,
  getLinks,
  getLink,
  revokeLink,
  extendLink,
  ...onboardingSettingsRoutes,
  ...onboardingPublicRoutes,
];
