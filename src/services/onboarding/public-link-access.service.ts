import { sql } from 'kysely';
import { linkGone } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import { onboardingTokenPattern } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingAccessOutcome } from '../../domain/onboarding/onboarding-access-outcome.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import { tokenHash } from '../../platform/security/digest.ts';
import { rateLimitHeaders } from '../../platform/security/rate-limit.ts';
import { read, writeInfrastructure } from '../../platform/database/read.ts';
import type { OnboardingLinkInput } from '../../workflows/onboarding/onboarding-link.contract.ts';
import { linkHolder } from '../identity/link-holder.ts';
import { sendOnboardingChangedOrLog } from './onboarding-link.client.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';

/** A request by the holder of a link, after its token was found. */
export interface PublicLinkAccess {
  readonly link: OnboardingLinkInput;
  /** Acts for the holder inside the tenant of the link; it is no user and has no permission. */
  readonly actor: Actor;
  /** Headers of every answer to the holder. */
  readonly headers: Record<string, string>;
}

type Deps = Pick<SignInDeps, 'db' | 'log' | 'rateLimits' | 'temporal'>;

/** The outcome of an access and what the holder may see; from `track_onboarding_link_access` (S3-26). */
export type AccessResult = { outcome: OnboardingAccessOutcome; is_first: boolean } & Pick<
  OnboardingRow,
  'recipient_name' | 'purpose' | 'status' | 'capabilities' | 'expires_at' | 'progress' | 'progress_percent' | 'current_step' | 'version'
>;

/** The address holds the token: browsers must not send it on as a referrer, and search engines must not index it. */
const privacyHeaders = { 'referrer-policy': 'no-referrer', 'x-robots-tag': 'noindex, nofollow' };

/**
 * Finds the link of a token by its hash. Every attempt counts against the limit of the client's address.
 *
 * @throws Problem 429, or the same 404 for a malformed and for an unknown token (S3-53).
 */
export async function resolvePublicLink(deps: Deps, anonymousActor: Actor, token: string): Promise<PublicLinkAccess> {
  const limit = await deps.rateLimits.publicToken.take(anonymousActor.ip ?? 'unknown');
  const link = onboardingTokenPattern.test(token) ? await findLink(deps, anonymousActor, token) : undefined;
  if (link === undefined) throw notFound('onboarding link');
  return {
    link,
    actor: linkHolder(anonymousActor, link.tenant_id),
    headers: { ...privacyHeaders, ...rateLimitHeaders(limit) },
  };
}

async function findLink(deps: Deps, anonymousActor: Actor, token: string): Promise<OnboardingLinkInput | undefined> {
  const statement = sql<OnboardingLinkInput>`
    select tenant_id, link_id from find_onboarding_link(${tokenHash(token)})`;
  const [link] = await read(deps.db, anonymousActor, { compile: () => statement.compile(kysely) });
  return link;
}

/**
 * Records an access (S3-56). The first one signals the workflow of the link, which notifies the creator.
 *
 * @param outcome null: the holder only opened the link, and the outcome follows from the state of the link.
 */
export async function recordAccess(
  deps: Deps,
  { link, actor }: PublicLinkAccess,
  outcome: OnboardingAccessOutcome | null,
): Promise<AccessResult> {
  const statement = sql<AccessResult>`
    select * from track_onboarding_link_access(${link.link_id}, ${actor.ip}, ${actor.user_agent}, ${outcome})`;
  const [access] = await writeInfrastructure(deps.db, actor, { compile: () => statement.compile(kysely) });
  if (access === undefined) throw notFound('onboarding link');
  if (access.is_first) await sendOnboardingChangedOrLog(deps, link);
  return access;
}

/** @throws Problem 410 when the link has ended. */
export function assertLinkOpen({ outcome }: Pick<AccessResult, 'outcome'>): void {
  switch (outcome) {
    case 'expired':
    case 'revoked':
      throw linkGone(outcome);
    case 'already_completed':
      throw linkGone('completed');
    default:
  }
}

/** Runs an operation of the holder and records its outcome, refusals included. */
export async function withAccessRecord<Result>(
  deps: Deps,
  access: PublicLinkAccess,
  work: () => Promise<{ readonly result: Result; readonly outcome: OnboardingAccessOutcome }>,
): Promise<Result> {
  try {
    const { result, outcome } = await work();
    await recordAccess(deps, access, outcome);
    return result;
  } catch (error) {
    const outcome = refusalOutcome(error);
    if (outcome !== null) await recordAccess(deps, access, outcome);
    throw error;
  }
}

function refusalOutcome(error: unknown): OnboardingAccessOutcome | null {
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
