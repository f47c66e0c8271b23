import { Context } from '@temporalio/activity';
import { systemActor } from '../../domain/shared/actor.ts';
import { createTextModel } from '../../platform/outbound/text-model.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { asActivity } from '../../platform/temporal/application-failure.ts';
import { ensureNudgeRoundSchedules } from '../../services/tracker/nudge-round.client.ts';
import { listNudgeTenants, listTrackerUsers, nudgePerson } from '../../services/tracker/nudge-round.service.ts';
import type { IdPage } from '../../services/tracker/nudge-round.service.ts';
import { purgeNudges } from '../../services/tracker/nudge.service.ts';
import type { NudgeActivities } from '../../workflows/tracker/nudge-round.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** Activities used by the workflows of nudge rounds. */
export function createNudgeActivities(
  deps: Pick<ActivityDeps, 'db' | 'env' | 'keyring' | 'outbound' | 'temporal'>,
): NudgeActivities {
  const model = createTextModel(deps.env, deps.outbound);
  /** Tenants whose Schedule this process has ensured; each is asked for once. */
  const scheduled = new Set<string>();

  return {
    nudgePeople: async ({ tenant_id, after }) => {
      const { ids, next_after } = await listTrackerUsers(deps, tenant_id, after);
      const created: number[] = [];
      for (const id of ids) {
        created.push(...(await nudgePerson(deps, model, { tenant_id, user_id: id })));
        Context.current().heartbeat(id);
      }
      return { created, next_after };
    },

    nudgePerson: (person) => asActivity(async () => ({ created: await nudgePerson(deps, model, person), next_after: null })),

    purgeNudges: ({ tenant_id }) => unitOfWork(deps.db, systemActor(tenant_id), purgeNudges),

    ensureNudgeSchedules: async () => {
      let after: string | null = null;
      do {
        const page: IdPage = await listNudgeTenants(deps, after);
        const missing = page.ids.filter((id) => !scheduled.has(id));
        await ensureNudgeRoundSchedules(deps, missing);
        for (const id of missing) scheduled.add(id);
        Context.current().heartbeat();
        after = page.next_after;
      } while (after !== null);
      return scheduled.size;
    },
  };
}
