import { z } from 'zod';
import { completeOnboardingLink } from '../../services/onboarding/onboarding-complete.service.ts';
import type { CompletedOnboarding } from '../../services/onboarding/onboarding-complete.service.ts';
import { saveOnboardingProgress } from '../../services/onboarding/onboarding-link.service.ts';
import { lockOnboardingLink } from '../../services/onboarding/onboarding-link.repository.ts';
import type { OnboardingRow } from '../../services/onboarding/onboarding-link.repository.ts';
import { Problem } from '../../platform/problem.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ApiDeps } from '../deps.ts';
import { hashAccountPassword } from '../../services/identity/account-password.service.ts';
import { openPublicLink, recordVisit, recordedVisit, assertShown } from '../../services/onboarding/onboarding-visit.service.ts';
import type { OnboardingVisit } from '../../services/onboarding/onboarding-visit.service.ts';
import { sendOnboardingSignal } from '../../services/onboarding/onboarding-link.client.ts';
import { OnboardingCompleted, OnboardingView, answers, presentOnboarding } from './onboarding.schemas.ts';
import { reply, route } from '../http/route.ts';
import { passwordInput } from '../../platform/value-schemas.ts';

const tag = 'onboarding';
/** Any text is let in as far as the limiter: a malformed token and an unknown one are alike. */
const tokenParams = z.object({ link_token: z.string().max(200) });
const version = z.int().min(1);

const openOnboarding = route({
  operationId: 'openOnboarding',
  method: 'get',
  path: '/api/admin/onboarding/o/:link_token',
  tag,
  summary: 'Open an onboarding link; looking changes nothing but the access record',
  permission: 'public',
  gate: 'none',
  params: tokenParams,
  responses: { 200: OnboardingView },
  problems: ['resource.not-found', 'onboarding.link-dead', 'request.rate-limited'],
  handler: async (context) => {
    const { deps } = context;
    const visit = await openPublicLink(context.deps, context.actor, context.params.link_token);
    const look = await recordVisit(deps, visit, null);
    assertShown(look);
    return reply(200, presentOnboarding(look, deps.now()), visit.headers);
  },
});

const saveProgress = route({
  operationId: 'saveOnboardingProgress',
  method: 'put',
  path: '/api/admin/onboarding/o/:link_token/progress',
  tag,
  summary: 'Save progress; answers that are not sent stay',
  description: 'A save that is built on an older version is refused with 409 and the current state, on any device.',
  permission: 'public',
  gate: 'none',
  params: tokenParams,
  body: z
    .strictObject({
      version: version.describe('The version that was read last'),
      answers: answers.default({}),
      progress_percent: z.int().min(0).max(100).optional(),
      current_step: z.string().trim().min(1).max(100).nullable().optional(),
    })
    .meta({ id: 'OnboardingProgress' }),
  responses: { 200: OnboardingView },
  problems: [
    'resource.not-found',
    'onboarding.link-dead',
    'onboarding.progress-stale',
    'onboarding.not-allowed',
    'request.rate-limited',
  ],
  handler: async (context) => {
    const { body, deps } = context;
    const visit = await openPublicLink(context.deps, context.actor, context.params.link_token);
    const row = await recordedVisit(deps, visit, async () => ({
      result: await unitOfWork(deps.db, visit.actor, (tx) =>
        saveOnboardingProgress(tx, visit.link.link_id, body, deps.now()),
      ),
      outcome: 'saved',
    }));
    return reply(200, presentOnboarding(row, deps.now()), visit.headers);
  },
});

const complete = route({
  operationId: 'completeOnboarding',
  method: 'post',
  path: '/api/admin/onboarding/o/:link_token/complete',
  tag,
  summary: 'Complete the onboarding: final, and the same answer to everybody who does it again',
  permission: 'public',
  gate: 'none',
  params: tokenParams,
  body: z
    .strictObject({
      version: version.nullable().default(null).describe('When given, nothing may have been saved since'),
      answers: answers.default({}),
      full_name: z.string().trim().min(1).max(200).nullable().default(null).describe('Name of the account'),
      password: passwordInput.nullable().default(null).describe('Of the account, where the link creates one'),
    })
    .prefault({})
    .meta({ id: 'OnboardingCompletion' }),
  responses: { 200: OnboardingCompleted },
  problems: [
    'resource.not-found',
    'onboarding.link-dead',
    'onboarding.progress-stale',
    'onboarding.not-allowed',
    'request.invalid',
    'request.rate-limited',
  ],
  // It is idempotent by itself, and callers without an account would share their keys.
  idempotency: false,
  handler: async (context) => {
    const { body, deps } = context;
    const visit = await openPublicLink(context.deps, context.actor, context.params.link_token);
    const { password, ...said } = body;
    const { row, is_replay } = await recordedVisit(deps, visit, async () => {
      const password_hash = password === null ? null : await hashChosenPassword(deps, visit, password);
      const result: CompletedOnboarding = await unitOfWork(deps.db, visit.actor, (tx) =>
        completeOnboardingLink(tx, visit.link.link_id, { ...said, password_hash }, deps.now()),
      );
      return { result, outcome: result.is_replay ? 'replayed' : 'completed' };
    });
    if (!is_replay) {
      observeDuration(deps, row);
      await sendOnboardingSignal(deps, visit.link);
    }
    const { completed_at, outcome } = row;
    return reply(200, { status: 'completed', completed_at, account: outcome?.account }, visit.headers);
  },
});

/** Judged by the name on the link; a name given now is no secret either, but only the address signs in. */
async function hashChosenPassword(deps: ApiDeps, visit: OnboardingVisit, password: string): Promise<string | null> {
  const link = await unitOfWork(deps.db, visit.actor, (tx) => lockOnboardingLink(tx, visit.link.link_id));
  if (link.status === 'completed') return null;
  if (link.account === null) {
    const errors = [{ pointer: '/password', detail: 'this link creates no account' }];
    throw new Problem({ code: 'request.invalid', detail: 'There is no account that the password could be of.', errors });
  }
  return hashAccountPassword(deps, password, { full_name: link.recipient_name, email: link.recipient_email }, '/password');
}

/** from the first access to the completion of a link. Completing without having looked took no time. */
function observeDuration(deps: ApiDeps, { first_accessed_at, completed_at }: OnboardingRow): void {
  if (completed_at === null) return;
  const startedAt = Date.parse(first_accessed_at ?? completed_at);
  deps.metrics.onboardingDuration.observe(Math.max(0, Date.parse(completed_at) - startedAt) / 1000);
}

/** What the holder of a link may do; without an account (S3-47, S3-48). */
export const onboardingPublicRoutes = [openOnboarding, saveProgress, complete];
