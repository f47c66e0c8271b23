import type { JsonObject } from '../../domain/shared/canonical.ts';
import { isOpenOnboarding, maxProgressBytes, mergeProgress } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingCapability } from '../../domain/onboarding/onboarding.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { clockTimestamp, endReason, linkGone, lockOnboardingLink, onboardingColumns } from './onboarding-link.repository.ts';
import type { OnboardingRow } from './onboarding-link.repository.ts';

/** Progress to save. */
export interface SavedProgress {
  /** The version that the sender has read last. */
  readonly version: number;
  readonly answers: JsonObject;
  readonly progress_percent?: number | undefined;
  readonly current_step?: string | null | undefined;
}

/**
 * Saves progress (S3-21). Answers that are not sent stay.
 *
 * @param now milliseconds since the epoch
 * @throws Problem 410 for a link that has ended, 403 where the link does not allow it, 409 with the current state when
 *   somebody else has saved since, 422 when the answers are too large.
 */
export async function saveOnboardingProgress(tx: Tx, id: string, saved: SavedProgress, now: number): Promise<OnboardingRow> {
  const before = await lockOnboardingLink(tx, id);
  const reason = endReason(before, now);
  if (reason !== null) throw linkGone(reason);
  assertLinkCapability(before, 'save_progress');
  assertProgressVersion(before, saved.version);
  const after = await tx.sql
    .updateTable('onboarding_link')
    .set({
      ...progressColumns(before, saved),
      status: isOpenOnboarding(before.status) ? 'in_progress' : before.status,
      version: nextVersion(),
      updated_at: clockTimestamp,
    })
    .where('id', '=', id)
    .returning(onboardingColumns)
    .executeTakeFirstOrThrow();
  const stateOf = ({ status, progress_percent, current_step, version }: OnboardingRow) =>
    ({ status, progress_percent, current_step, version });
  tx.audit({
    event: 'onboarding_link.progress',
    action: 'update',
    resource_type: 'onboarding_link',
    resource_id: id,
    old_values: stateOf(before),
    // Answers are personal: the audit entry names the questions only.
    new_values: { ...stateOf(after), answered: Object.keys(saved.answers) },
  });
  return after;
}

/** The columns of the progress with the saved answers merged in. @throws Problem 422 when the answers are too large. */
export function progressColumns(before: OnboardingRow, saved: Omit<SavedProgress, 'version'>) {
  const { progress, progress_percent, current_step } = mergeProgress(before, saved);
  if (Buffer.byteLength(JSON.stringify(progress)) > maxProgressBytes) {
    const errors = [{ pointer: '/answers', detail: `all answers together have at most ${maxProgressBytes} bytes` }];
    throw new Problem({ code: 'request.invalid', detail: 'The answers are too large.', errors });
  }
  return { progress: jsonb(progress), progress_percent, current_step };
}

/** @throws Problem `onboarding.not-allowed` when the link does not have the capability. */
export function assertLinkCapability(row: OnboardingRow, capability: OnboardingCapability): void {
  if (row.capabilities.includes(capability)) return;
  throw new Problem({ code: 'onboarding.not-allowed', detail: `This link does not allow ${capability}.`, members: { capability } });
}

/** @throws Problem `onboarding.progress-stale` with the current state when the version is an older one. */
export function assertProgressVersion(row: OnboardingRow, version: number): void {
  if (row.version === version) return;
  const { progress, progress_percent, current_step, version: current } = row;
  throw new Problem({
    code: 'onboarding.progress-stale',
    detail: 'The progress was saved elsewhere in the meantime. Continue from the current state.',
    members: { current: { answers: progress, progress_percent, current_step, version: current } },
  });
}
