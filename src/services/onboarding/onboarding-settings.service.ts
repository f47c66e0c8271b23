import { sql } from 'kysely';
import { firstLimitOutOfOrder, defaultOnboardingSettings } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingSettings } from '../../domain/onboarding/onboarding.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { nextVersion } from '../../platform/row-version.ts';

/** The settings of the tenant; no row: it has the defaults. */
export const onboardingSettingsQuery = () =>
  kysely.selectFrom('onboarding_settings').select(['default_life_seconds', 'max_step_seconds', 'max_life_seconds']);

/** How long links of the tenant live, the defaults included (S3-51). */
export async function loadOnboardingSettings(tx: Tx): Promise<OnboardingSettings> {
  const { rows } = await tx.sql.executeQuery(onboardingSettingsQuery().compile());
  return rows[0] ?? defaultOnboardingSettings;
}

/**
 * The time that a link gets at once: what was asked for, or else the tenant's default.
 *
 * @param pointer where the request asks for it
 * @returns seconds
 * @throws Problem `request.invalid` when the tenant allows less at a time.
 */
export function grantedSeconds(settings: OnboardingSettings, asked: number | null, pointer: string): number {
  const seconds = asked ?? settings.default_life_seconds;
  if (seconds <= settings.max_step_seconds) return seconds;
  const detail = `must be at most ${settings.max_step_seconds}`;
  throw new Problem({
    code: 'request.invalid',
    detail: 'A link cannot be given so much time at once.',
    errors: [{ pointer, detail }],
  });
}

/**
 * Changes how long links of the tenant live; what is left out stays. Existing links keep their longest life.
 *
 * @throws Problem `request.invalid` when a limit would be above the next longer one.
 */
export async function updateOnboardingSettings(tx: Tx, changes: Partial<OnboardingSettings>): Promise<OnboardingSettings> {
  const before = await loadOnboardingSettings(tx);
  const after = { ...before, ...changes };
  const misplaced = firstLimitOutOfOrder(after);
  if (misplaced !== null) {
    const errors = [{ pointer: `/${misplaced}`, detail: 'must not be above the next longer limit' }];
    throw new Problem({
      code: 'request.invalid',
      detail: 'The default must not exceed the step, nor the step the maximum lifetime.',
      errors,
    });
  }
  await tx.sql
    .insertInto('onboarding_settings')
    .values({ ...after, tenant_id: tx.actor.tenant_id })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet({
        ...after,
        version: nextVersion('onboarding_settings'),
        updated_at: sql<string>`now()`,
      }),
    )
    .execute();
  tx.audit({
    event: 'onboarding_settings.update',
    action: 'update',
    resource_type: 'onboarding_settings',
    resource_id: tx.actor.tenant_id,
    old_values: before,
    new_values: after,
  });
  return after;
}
