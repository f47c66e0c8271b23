import { z } from 'zod';
import {
  OnboardingCompleted,
  OnboardingView,
  presentOnboarding,
  onboardingCompletion,
  progressUpdate,
} from './onboarding.schemas.ts';
import {
  completeOnboarding,
  needsPassword,
  saveHolderProgress,
  viewOnboarding,
} from '../../services/onboarding/onboarding-holder.service.ts';
import { resolvePublicLink } from '../../services/onboarding/public-link-access.service.ts';
import { reply, route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';

const tag = 'onboarding';
/** Any text passes as far as the rate limiter, so that a malformed token and an unknown one are answered alike. */
const tokenParams = z.object({ link_token: z.string().max(200) });

/** A browser that fetches an address in advance says so (Sec-Purpose, once Purpose); HEAD shows nothing to anybody. */
function isCallOfPage({ method, headers }: HandlerContext<unknown, unknown, unknown>['raw']): boolean {
  const purpose = `${String(headers['sec-purpose'] ?? '')} ${String(headers['purpose'] ?? '')}`;
  return (headers['x-requested-with'] ?? '') !== '' && method === 'GET' && !/\bprefetch\b/i.test(purpose);
}

const openOnboarding = route({
  operationId: 'openOnboarding',
  method: 'get',
  path: '/api/admin/onboarding/o/:link_token',
  tag,
  summary: 'Open an onboarding link; only the access is recorded',
  description:
    'Mail scanners look at links, too: without `X-Requested-With`, which the page of the link sends with its own call, the ' +
    'look is recorded as `viewed` and the link is not opened. Saving or completing opens it in any case.',
  permission: 'public',
  gate: 'none',
  params: tokenParams,
  responses: { 200: OnboardingView },
  problems: ['resource.not-found', 'onboarding.link-dead', 'request.rate-limited'],
  handler: async ({ actor, deps, params, raw }) => {
    const access = await resolvePublicLink(deps, actor, params.link_token);
    const isOpening = isCallOfPage(raw);
    const view = await viewOnboarding(deps, access, isOpening);
    const context = { now: deps.now(), isOpening, needsPassword: needsPassword(deps.env, access.link.tenant_id) };
    return reply(200, presentOnboarding(view, context), access.headers);
  },
});

const saveProgress = route({
  operationId: 'saveOnboardingProgress',
  method: 'put',
  path: '/api/admin/onboarding/o/:link_token/progress',
  tag,
  summary: 'Save progress; answers that are not sent are unchanged',
  description: 'A save based on an older version is refused with 409 and the current state.',
  permission: 'public',
  gate: 'none',
  params: tokenParams,
  body: progressUpdate,
  responses: { 200: OnboardingView },
  problems: [
    'resource.not-found',
    'onboarding.link-dead',
    'onboarding.progress-stale',
    'onboarding.not-allowed',
    'request.rate-limited',
  ],
  handler: async ({ actor, body, deps, params }) => {
    const access = await resolvePublicLink(deps, actor, params.link_token);
    const row = await saveHolderProgress(deps, access, body);
    const context = { now: deps.now(), needsPassword: needsPassword(deps.env, access.link.tenant_id) };
    return reply(200, presentOnboarding(row, context), access.headers);
  },
});

const complete = route({
  operationId: 'completeOnboarding',
  method: 'post',
  path: '/api/admin/onboarding/o/:link_token/complete',
  tag,
  summary: 'Complete the onboarding; it is final, and repeating it returns the same response',
  permission: 'public',
  gate: 'none',
  params: tokenParams,
  body: onboardingCompletion,
  responses: { 200: OnboardingCompleted },
  problems: [
    'resource.not-found',
    'onboarding.link-dead',
    'onboarding.progress-stale',
    'onboarding.not-allowed',
    'request.invalid',
    'request.rate-limited',
  ],
  // Completing is idempotent by itself, and callers without an account would share their idempotency keys.
  idempotency: false,
  handler: async ({ actor, body, deps, params }) => {
    const access = await resolvePublicLink(deps, actor, params.link_token);
    const { completed_at, outcome } = await completeOnboarding(deps, access, body);
    return reply(200, { status: 'completed', completed_at, account: outcome?.account }, access.headers);
  },
});

/** What the holder of a link may do without an account (S3-47, S3-48). */
export const onboardingPublicRoutes = [openOnboarding, saveProgress, complete];
