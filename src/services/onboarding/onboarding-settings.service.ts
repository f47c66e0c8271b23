import { sql } from 'kysely';
import { brokenOnboardingLife, defaultOnboardingLife } from '../../domain/onboarding/onboarding.ts';
import type { OnboardingLife } from '../../domain/onboarding/onboarding.ts';
import { query } from '../../entities/kysely-schema.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** The life that a tenant has laid down; no row: none. */
export const onboardingLifeQuery = () =>
  query.selectFrom('onboarding_settings').select(['default_life_seconds', 'max_step_seconds', 'max_life_seconds']);

/** How long links of the tenant live (S3-51). */
export async function onboardingLifeOf(tx: Tx): Promise<OnboardingLife> {
  const { rows } = await tx.sql.executeQuery(onboardingLifeQuery().compile());
  return rows[0] ?? defaultOnboardingLife;
}

/**
 * The time that a link is given: what was asked for, else the tenant's default.
 *
 * @param pointer where in the request it was asked for.
 * @throws Problem `request.invalid` when the tenant gives less at a time.
 */
export function grantedSeconds(life: OnboardingLife, asked: number | null, pointer: string): number {
  const seconds = asked ?? life.default_life_seconds;
  if (seconds <= life.max_step_seconds) return seconds;
  const detail = `must be at most ${life.max_step_seconds}`;
  throw new Problem({ code: 'request.invalid', detail: 'A link is not given so much time at once.', errors: [{ pointer, detail }] });
}

/**
 * Lays down how long links of the tenant live; what is left out stays. Links that are there keep their longest life.
 *
 * @throws Problem `request.invalid` when a limit would be above the next one.
 */
export async function setOnboardingLife(tx: Tx, changes: Partial<OnboardingLife>): Promise<OnboardingLife> {
  const before = await onboardingLifeOf(tx);
  const after = { ...before, ...changes };
  const broken = brokenOnboardingLife(after);
  if (broken !== null) {
    const errors = [{ pointer: `/${broken}`, detail: 'must not be above the next longer limit' }];
    throw new Problem({ code: 'request.invalid', detail: 'Default, step and longest life go from short to long.', errors });
  }
  await tx.sql
    .insertInto('onboarding_settings')
    .values({ ...after, tenant_id: tx.actor.tenant_id })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((eb) => ({
        ...after,
        version: eb('onboarding_settings.version', '+', 1),
        updated_at: sql<string>`now()`,
      })),
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
