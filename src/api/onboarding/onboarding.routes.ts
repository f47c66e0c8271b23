import { z } from 'zod';
import { onboardingStatuses } from '../../domain/onboarding/onboarding.ts';
import { newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { email, uuid } from '../../platform/value-schemas.ts';
import { runGatedAction } from '../../services/actions/run-action.ts';
import { tellAfterCommit } from '../../services/commands/workflow-start.service.ts';
import {
  loadOnboardingLink,
  loadOnboardingLinkDetail,
  loadOnboardingLinks,
} from '../../services/onboarding/onboarding-link.queries.ts';
import { createOnboardingLink, extendOnboardingLink } from '../../services/onboarding/onboarding-link.service.ts';
import { onboardingRevoke } from '../../services/onboarding/onboarding-revoke.action.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import { onboardingPublicRoutes } from './onboarding-public.routes.ts';
import { onboardingSettingsRoutes } from './onboarding-settings.routes.ts';
import {
  NewOnboardingLink,
  OnboardingLinkBody,
  OnboardingLinkDetail,
  OnboardingLinkItem,
  linkCreation,
  linkExtension,
  linkRevocation,
  presentOnboardingLink,
} from './onboarding.schemas.ts';

const tag = 'onboarding';
const path = '/api/admin/onboarding';
const linkParams = z.object({ link_id: uuid });

const createLink = route({
  operationId: 'createOnboardingLink',
  method: 'post',
  path: `${path}/create-link`,
  tag,
  summary: 'Create an onboarding link; its address is shown once',
  description:
    'With `account`, completing the link creates an account, which also requires user:create and role:assign. Roles ' +
    'of administrators wait for an approval (`onboarding.grant-roles`) after completion.',
  permission: 'onboarding:manage',
  gate: 'none',
  body: linkCreation,
  responses: { 201: NewOnboardingLink },
  problems: ['auth.forbidden', 'role.grant-exceeds-own', 'resource.conflict', 'resource.not-found'],
  handler: ({ body, deps, change }) =>
    change(async (tx) => {
      const { row, token } = await createOnboardingLink(tx, body, deps.now());
      tellAfterCommit(deps, tx, 'onboarding-link', { link_id: row.id });
      const url = new URL(`${path}/o/${token}`, deps.env.PUBLIC_URL).href;
      return reply(201, { ...presentOnboardingLink(row, deps.now()), token, url }, { location: `${path}/link/${row.id}` });
    }),
});

const getLinks = route({
  operationId: 'getOnboardingLinks',
  method: 'get',
  path: `${path}/links`,
  tag,
  summary: 'Onboarding links, newest first; without onboarding:manage only the caller’s own',
  permission: 'onboarding:read',
  gate: 'none',
  query: z.strictObject({
    ...pageQuery,
    status: z.enum(onboardingStatuses).optional(),
    created_by: uuid.optional(),
    recipient_email: email.optional(),
  }),
  responses: { 200: pageOf(OnboardingLinkItem) },
  problems: ['request.cursor-invalid'],
  handler: async ({ actor, deps, query: filter }) => {
    const rows = await loadOnboardingLinks(deps, actor, filter);
    return newestPage(rows, filter.limit, (row) => presentOnboardingLink(row, deps.now()));
  },
});

const getLink = route({
  operationId: 'getOnboardingLink',
  method: 'get',
  path: `${path}/link/:link_id`,
  tag,
  summary: 'One link with its progress and all accesses, including refused ones',
  permission: 'onboarding:read',
  gate: 'none',
  params: linkParams,
  responses: { 200: OnboardingLinkDetail },
  problems: ['resource.not-found'],
  handler: async ({ actor, deps, params: { link_id } }) => {
    const { row, accesses } = await loadOnboardingLinkDetail(deps, actor, link_id);
    return { ...presentOnboardingLink(row, deps.now()), accesses };
  },
});

const revokeLink = route({
  operationId: 'revokeOnboardingLink',
  method: 'post',
  path: `${path}/link/:link_id/revoke`,
  tag,
  summary: 'Revoke a link permanently',
  permission: 'onboarding:manage',
  gate: {
    action: onboardingRevoke.name,
    payload: ({ params, body }) => ({ link_id: params.link_id, reason: body.reason }),
  },
  params: linkParams,
  body: linkRevocation,
  responses: { 200: OnboardingLinkBody, 202: ApprovalBody },
  problems: ['resource.not-found', 'onboarding.closed'],
  handler: async (context) => {
    const { actor, body, deps, params: { link_id } } = context;
    return context.change(async (tx) => {
      await runGatedAction(tx, context, onboardingRevoke.prepare({ link_id, reason: body.reason }));
      return presentOnboardingLink(await loadOnboardingLink({ db: tx }, actor, link_id), deps.now());
    });
  },
});

const extendLink = route({
  operationId: 'extendOnboardingLink',
  method: 'post',
  path: `${path}/link/:link_id/extend`,
  tag,
  summary: 'Extend a link; an expired one becomes valid again',
  permission: 'onboarding:manage',
  gate: 'none',
  params: linkParams,
  body: linkExtension,
  responses: { 200: OnboardingLinkBody },
  problems: ['resource.not-found', 'onboarding.closed', 'onboarding.life-spent'],
  handler: ({ body, deps, params: { link_id }, change }) =>
    change(async (tx) => {
      const row = await extendOnboardingLink(tx, link_id, body.extend_seconds, deps.now());
      tellAfterCommit(deps, tx, 'onboarding-link', { link_id });
      return presentOnboardingLink(row, deps.now());
    }),
});

/** Onboarding links, for those who send them and for their holders (S3-15..22). */
export const onboardingRoutes = [
  createLink,
  getLinks,
  getLink,
  revokeLink,
  extendLink,
  ...onboardingSettingsRoutes,
  ...onboardingPublicRoutes,
];
