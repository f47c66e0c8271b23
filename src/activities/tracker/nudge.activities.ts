import { Context } from '@temporalio/activity';
import { sql } from 'kysely';
import { deliverNudges, purgeNudges } from '../../services/tracker/nudge.service.ts';
import type { WordedNudge } from '../../services/tracker/nudge.service.ts';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { startOfDay } from '../../domain/tracker/tracker-calendar.ts';
import { admitNudges } from '../../domain/tracker/tracker-nudge-admission.ts';
import { draftNudges, nudgeMessage } from '../../domain/tracker/tracker-nudge-rules.ts';
import type { NudgeDraft } from '../../domain/tracker/tracker-nudge-rules.ts';
import { acceptWording, wordingInstruction } from '../../domain/tracker/tracker-nudge-wording.ts';
import { nudgeFactQueries, personalNudges } from '../../services/tracker/nudge-round.queries.ts';
import { query } from '../../entities/kysely-schema.ts';
import { read, readAll } from '../../platform/database/read.ts';
import { ensureSchedules } from '../../platform/temporal/schedules.ts';
import { createTextModel } from '../../platform/outbound/text-model.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import { nudgeRoundSchedule } from '../../workflows/tracker/nudge-round.contract.ts';
import type { NudgeActivities } from '../../workflows/tracker/nudge-round.contract.ts';
import type { ActivityDeps } from '../deps.ts';

type Deps = Pick<ActivityDeps, 'db' | 'env' | 'outbound' | 'temporal'>;

/** People in one activity, tenants in one query. */
const pageSize = 25;

/** The hands of the nudge rounds. */
export function createNudgeActivities(deps: Deps): NudgeActivities {
  const { db, env, outbound, temporal } = deps;
  const model = createTextModel(env, outbound);
  /** Tenants whose Schedule this process has made sure of. */
  const scheduled = new Set<string>();

  const word = async (draft: NudgeDraft, time_zone: string): Promise<WordedNudge> => {
    const given = model === null ? null : await model.reword(wordingInstruction, draft.template);
    const wording = acceptWording(draft, given);
    return {
      draft,
      message: nudgeMessage({ template: wording ?? draft.template, name: draft.name }),
      worded_by: wording === null ? 'rule' : 'model',
      expires_at: startOfDay(draft.expires_on, time_zone),
    };
  };

  const nudge = async (tenant_id: string, user_id: string): Promise<number[]> => {
    const actor = systemActor(tenant_id, { workflow_id: `nudges/${tenant_id}` });
    const now = Date.now();
    const known = personalNudges(await readAll(db, actor, nudgeFactQueries(user_id, now)), now);
    if (known === null) return [];
    const { moment } = known.facts;
    const admitted = admitNudges(draftNudges(known.facts), moment.minute, known.policy, known);
    if (admitted.length === 0) return [];
    // The model is asked outside the transaction, and only for what will be shown.
    const worded = await Promise.all(admitted.map((draft) => word(draft, known.time_zone)));
    return unitOfWork(db, actor, (tx) => deliverNudges(tx, user_id, moment.day, known.policy.daily_cap, worded));
  };

  return {
    nudgePeople: async ({ tenant_id, after }) => {
      const people = await read(db, systemActor(tenant_id), trackerUsers(after));
      const created: number[] = [];
      for (const { id } of people) {
        created.push(...(await nudge(tenant_id, id)));
        Context.current().heartbeat(id);
      }
      return { created, next_after: people[pageSize - 1]?.id ?? null };
    },

    nudgePerson: async ({ tenant_id, user_id }) => ({ created: await nudge(tenant_id, user_id), next_after: null }),

    purgeNudges: ({ tenant_id }) => unitOfWork(db, systemActor(tenant_id), purgeNudges),

    ensureNudgeSchedules: async () => {
      let after: string | null = null;
      do {
        const page: { tenant_id: string }[] = await read(db, systemActor(defaultTenantId), tenantsAfter(after));
        const missing = page.filter(({ tenant_id }) => !scheduled.has(tenant_id));
        await ensureSchedules(temporal.client, temporal.taskQueue, missing.map(({ tenant_id }) => nudgeRoundSchedule(tenant_id)));
        for (const { tenant_id } of missing) scheduled.add(tenant_id);
        Context.current().heartbeat();
        after = page[pageSize - 1]?.tenant_id ?? null;
      } while (after !== null);
      return scheduled.size;
    },
  };
}

function tenantsAfter(after: string | null) {
  return query
    .selectFrom(sql<{ tenant_id: string }>`nudge_tenants(${after}::uuid, ${pageSize}::integer)`.as('t'))
    .select('t.tenant_id');
}

/** People who keep a tracker, in the order of their ids; nobody in a tenant that is suspended. */
function trackerUsers(after: string | null) {
  return query
    .selectFrom('users as u')
    .innerJoin('tenants as t', 't.id', 'u.tenant_id')
    .where('u.status', '=', 'active')
    .where('t.status', '=', 'active')
    .where((eb) => (after === null ? eb.lit(true) : eb('u.id', '>', after)))
    .where((eb) =>
      eb.or(
        (['admin_goals', 'admin_activities', 'admin_prospects', 'admin_meetings'] as const).map((table) =>
          eb.exists(eb.selectFrom(table).whereRef(`${table}.user_id`, '=', 'u.id').select(sql<number>`1`.as('one'))),
        ),
      ),
    )
    .orderBy('u.id')
    .limit(pageSize)
    .select('u.id');
}
