import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import type { OnboardingLinkInput } from '../../workflows/onboarding/onboarding-link.contract.ts';
import type { OnboardingSweepResult } from '../../workflows/onboarding/onboarding-sweep.contract.ts';
import { sendOnboardingChanged } from './onboarding-link.client.ts';
import { expireOnboarding } from './onboarding-timer.service.ts';

/** Links that one sweep handles at most. */
const sweepLimit = 1_000;

/**
 * Expires links of all tenants whose time is over, and signals the workflows of links that have changed since their
 * workflow looked.
 *
 * @throws Problem `service.unavailable` when Temporal is unavailable; what is left is due again in the next sweep.
 */
export async function sweepOnboarding({
  db,
  temporal,
}: Pick<ProcessDeps, 'db' | 'temporal'>): Promise<OnboardingSweepResult> {
  const statement = sql<OnboardingLinkInput & { is_overdue: boolean }>`select * from onboarding_links_due(${sweepLimit})`;
  const due = await read(db, systemActor(defaultTenantId), { compile: () => statement.compile(kysely) });
  let expired = 0;
  for (const tenantId of new Set(due.filter(({ is_overdue }) => is_overdue).map(({ tenant_id }) => tenant_id))) {
    const actor = systemActor(tenantId, { workflow_id: 'onboarding-sweep' });
    expired += (await unitOfWork(db, actor, (tx) => expireOnboarding(tx, null))).length;
  }
  for (const { tenant_id, link_id } of due) await sendOnboardingChanged({ temporal }, { tenant_id, link_id });
  return { expired, told: due.length };
}
