import type { JsonObject } from '../../domain/shared/canonical.ts';
import type { Env } from '../../platform/env.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Metrics } from '../../platform/observability/metrics.ts';
import { Problem } from '../../platform/problem.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';
import { hashAccountPassword } from '../identity/account-password.service.ts';
import { tellAfterCommit } from '../commands/workflow-start.service.ts';
import { completeOnboardingLink } from './onboarding-complete.service.ts';
import type { CompletedOnboarding } from './onboarding-complete.service.ts';
import { endReason, linkGone, lockOnboardingLink } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';
import { saveOnboardingProgress } from './onboarding-progress.service.ts';
import type { SavedProgress } from './onboarding-progress.service.ts';
import { assertLinkOpen, recordAccess, withAccessRecord } from './public-link-access.service.ts';
import type { AccessResult, PublicLinkAccess } from './public-link-access.service.ts';

type Deps = Pick<SignInDeps, 'db' | 'log' | 'now' | 'passwords' | 'rateLimits' | 'temporal'>;

/**
 * Shows a link: only the access record changes.
 *
 * @param isPerson false for what may be a scanner of mails, whose look does not open the link (U-19).
 * @throws Problem 410 when the link has ended.
 */
export async function viewOnboarding(deps: Deps, access: PublicLinkAccess, isPerson: boolean): Promise<AccessResult> {
  const result = await recordAccess(deps, access, isPerson ? null : 'viewed');
  assertLinkOpen(result);
  return result;
}

/** Saves the progress of a link's holder; see {@link saveOnboardingProgress}. */
export function saveHolderProgress(deps: Deps, access: PublicLinkAccess, saved: SavedProgress): Promise<OnboardingRow> {
  return withAccessRecord(deps, access, async () => ({
    result: await unitOfWork(deps.db, access.actor, (tx) =>
      saveOnboardingProgress(tx, access.link.link_id, saved, deps.now()),
    ),
    outcome: 'saved',
  }));
}

/** What the holder of a link sends at the end; see {@link completeOnboardingLink}. */
interface HolderCompletion {
  readonly version: number | null;
  readonly answers: JsonObject;
  readonly full_name: string | null;
  /** Null: the user signs in by an identity provider. */
  readonly password: string | null;
}

/**
 * Completes a link for its holder; see {@link completeOnboardingLink}. The first completion is measured and signalled to
 * the workflow of the link.
 *
 * @throws Problem 422 for a password where the link creates no account, for a weak one, or where an account would have no way in
 *   without one.
 */
export async function completeOnboarding(
  deps: Deps & { readonly metrics: Pick<Metrics, 'onboardingDuration'>; readonly env: ProviderEnv },
  access: PublicLinkAccess,
  { password, ...completion }: HolderCompletion,
): Promise<OnboardingRow> {
  const { row, is_replay } = await withAccessRecord(deps, access, async () => {
    const password_hash = await hashChosenPassword(deps, access, password);
    const { link_id } = access.link;
    const result: CompletedOnboarding = await unitOfWork(deps.db, access.actor, async (tx) => {
      const completed = await completeOnboardingLink(tx, link_id, { ...completion, password_hash }, deps.now());
      if (!completed.is_replay) tellAfterCommit(deps, tx, 'onboarding-link', { link_id });
      return completed;
    });
    return { result, outcome: result.is_replay ? 'replayed' : 'completed' };
  });
  if (!is_replay) observeDuration(deps.metrics, row);
  return row;
}

/** Where the people of a tenant may come from besides a password. */
export type ProviderEnv = Pick<Env, 'OIDC_PROVIDERS' | 'TRUSTED_ISSUERS'>;

/** Whether an account of a tenant needs a password of its own: not where a provider signs its people in (U-17). */
export function needsPassword({ OIDC_PROVIDERS: providers, TRUSTED_ISSUERS: issuers }: ProviderEnv, tenantId: string): boolean {
  return ![...providers, ...issuers].some(({ tenant_id }) => tenant_id === tenantId);
}

/**
 * Hashes a password after checking it against the recipient's name and address. A name that is sent now is not checked:
 * it is no part of what the user signs in with.
 *
 * @returns null for a link that is completed already, and where an account needs no password.
 * @throws Problem 410 for a link that has ended, 422 for a password that is missing, weak or of no account.
 */
async function hashChosenPassword(
  deps: Deps & { readonly env: ProviderEnv },
  { actor, link }: PublicLinkAccess,
  password: string | null,
): Promise<string | null> {
  const row = await unitOfWork(deps.db, actor, (tx) => lockOnboardingLink(tx, link.link_id));
  const reason = endReason(row, deps.now());
  // Completed is final, so the first outcome is told again; a link that has ended otherwise may be extended at this very moment.
  if (reason === 'completed') return null;
  if (reason !== null) throw linkGone(reason);
  if (password === null) {
    if (row.account === null || !needsPassword(deps.env, link.tenant_id)) return null;
    const errors = [{ pointer: '/password', detail: 'is needed: the account would have no way in' }];
    throw new Problem({ code: 'request.invalid', detail: 'Choose a password for the account.', errors });
  }
  if (row.account === null) {
    const errors = [{ pointer: '/password', detail: 'is only possible if the link creates an account' }];
    throw new Problem({
      code: 'request.invalid',
      detail: 'This link creates no account that could have a password.',
      errors,
    });
  }
  return hashAccountPassword(deps, password, { full_name: row.recipient_name, email: row.recipient_email }, '/password');
}

/** Measures the time from the first access to the completion; 0 for a link that was completed without opening it. */
function observeDuration(
  { onboardingDuration }: Pick<Metrics, 'onboardingDuration'>,
  { first_accessed_at, completed_at }: OnboardingRow,
): void {
  if (completed_at === null) return;
  const startedAt = Date.parse(first_accessed_at ?? completed_at);
  onboardingDuration.observe(Math.max(0, Date.parse(completed_at) - startedAt) / 1000);
}
