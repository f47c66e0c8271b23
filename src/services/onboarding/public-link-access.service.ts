import { sql } from 'kysely';
import { onboardingTokenHash } from './onboarding-link.service.ts';
import { linkGone } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import { systemActor } from '../../domain/shared/actor.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { onboardingTokenPattern } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingAccessOutcome } from '../../domain/onboarding/onboarding-access-outcome.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { rateLimitHeaders } from '../../platform/security/rate-limit.ts';
import { read, writeTechnical } from '../../platform/database/read.ts';
import type { OnboardingLinkInput } from '../../workflows/onboarding/onboarding-link.contract.ts';
import { sendOnboardingSignal } from './onboarding-link.client.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';

/** The holder of a link at the door: who may act on it, and with what headers he is answered. */
export interface OnboardingVisit {
  readonly link: OnboardingLinkInput;
  /** Acts for the holder inside the tenant of the link; no person, no permission. */
  readonly actor: Actor;
  readonly headers: Record<string, string>;
}

type Deps = Pick<SignInDeps, 'db' | 'log' | 'rateLimits' | 'temporal'>;

/** What a visit was, and what may be shown; from `track_onboarding_link_access` (S3-26). */
type Look = { outcome: OnboardingAccessOutcome; is_first: boolean } & Pick<
  OnboardingRow,
  'recipient_name' | 'purpose' | 'status' | 'capabilities' | 'expires_at' | 'progress' | 'progress_percent' | 'current_step' | 'version'
>;

/** A link in an address bar goes to nobody else and into no index. */
const privacyHeaders = { 'referrer-policy': 'no-referrer', 'x-robots-tag': 'noindex, nofollow' };

/**
 * Lets a token in: counts the try against its address, then finds the link by the hash of the token.
 *
 * @throws Problem 429, or the same 404 for a malformed token and for one that nobody has (S3-53).
 */
export async function openPublicLink(deps: Deps, nobody: Actor, token: string): Promise<OnboardingVisit> {
  const limit = await deps.rateLimits.publicToken.take(nobody.ip ?? 'unknown');
  const link = onboardingTokenPattern.test(token) ? await findLink(deps, nobody, token) : undefined;
  if (link === undefined) throw notFound('onboarding link');
  const { ip, user_agent, request_id, trace_id } = nobody;
  return {
    link,
    actor: { ...systemActor(link.tenant_id), kind: 'service', ip, user_agent, request_id, trace_id },
    headers: { ...privacyHeaders, ...rateLimitHeaders(limit) },
  };
}

async function findLink(deps: Deps, nobody: Actor, token: string): Promise<OnboardingLinkInput | undefined> {
  const statement = sql<OnboardingLinkInput>`
    select tenant_id, link_id from find_onboarding_link(${onboardingTokenHash(token)})`;
  const [link] = await read(deps.db, nobody, { compile: () => statement.compile(query) });
  return link;
}

/**
 * Records the visit (S3-56) and tells the workflow of the first one, so that the creator hears of it.
 *
 * @param outcome what came of it; without one it was a look, and the state of the link says what it got to see.
 */
export async function recordVisit(
  deps: Deps,
  { link, actor }: OnboardingVisit,
  outcome: OnboardingAccessOutcome | null,
): Promise<Look> {
  const statement = sql<Look>`
    select * from track_onboarding_link_access(${link.link_id}, ${actor.ip}, ${actor.user_agent}, ${outcome})`;
  const [look] = await writeTechnical(deps.db, actor, { compile: () => statement.compile(query) });
  if (look === undefined) throw notFound('onboarding link');
  if (look.is_first) await sendOnboardingSignal(deps, link);
  return look;
}

/** @throws Problem 410 when the look found a dead link. */
export function assertShown({ outcome }: Pick<Look, 'outcome'>): void {
  switch (outcome) {
    case 'expired':
    case 'revoked':
      throw linkGone(outcome);
    case 'already_completed':
      throw linkGone('completed');
    default:
  }
}

/** Does what the holder wants and records how it ended, refusals included. */
export async function recordedVisit<Result>(
  deps: Deps,
  visit: OnboardingVisit,
  work: () => Promise<{ readonly result: Result; readonly outcome: OnboardingAccessOutcome }>,
): Promise<Result> {
  try {
    const { result, outcome } = await work();
    await recordVisit(deps, visit, outcome);
    return result;
  } catch (error) {
    const outcome = refusalOf(error);
    if (outcome !== null) await recordVisit(deps, visit, outcome);
    throw error;
  }
}

function refusalOf(error: unknown): OnboardingAccessOutcome | null {
  if (!(error instanceof Problem)) return null;
  switch (error.code) {
    case 'onboarding.link-dead': {
      const { reason } = error.members;
      return reason === 'expired' || reason === 'revoked' ? reason : 'already_completed';
    }
    case 'onboarding.progress-stale':
      return 'stale';
    case 'onboarding.not-allowed':
      return 'not_allowed';
    default:
      return error.status < 500 ? 'refused' : null;
  }
}
