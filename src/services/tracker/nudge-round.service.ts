import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { startOfDay } from '../../domain/tracker/tracker-calendar.ts';
import { admitNudges } from '../../domain/tracker/tracker-nudge-admission.ts';
import { draftNudges, nudgeMessage } from '../../domain/tracker/tracker-nudge-rules.ts';
import type { NudgeDraft } from '../../domain/tracker/tracker-nudge-rules.ts';
import { acceptWording, wordingInstruction } from '../../domain/tracker/tracker-nudge-wording.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { read, readAll } from '../../platform/database/read.ts';
import type { TextModel } from '../../platform/outbound/text-model.ts';
import { commandUnitOfWork } from '../commands/command.repository.ts';
import { nudgeFactQueries, nudgeTenantsQuery, personalNudges, trackerUsersQuery } from './nudge-round.queries.ts';
import { deliverNudges } from './nudge.service.ts';
import type { WordedNudge } from './nudge.service.ts';

/** People in one activity, tenants in one query. */
const pageSize = 25;

/**
 * Evaluates the rules for one person and delivers the nudges that are admitted.
 *
 * @param model rewords the texts; null leaves those of the rules.
 * @returns ids of the nudges that are new; none for a user who does not exist any more.
 */
export async function nudgePerson(
  deps: Pick<ProcessDeps, 'db' | 'keyring'>,
  model: TextModel | null,
  { tenant_id, user_id, command_id }: NudgedPerson,
): Promise<number[]> {
  const actor = systemActor(tenant_id, { workflow_id: `nudges/${tenant_id}` });
  const now = Date.now();
  const known = personalNudges(await readAll(deps.db, actor, nudgeFactQueries(user_id, now)), now);
  if (known === null) return commandUnitOfWork(deps, actor, command_id, async () => []);
  const { local_time } = known.facts;
  const admitted = admitNudges(draftNudges(known.facts), local_time.minute, known.policy, known);
  if (admitted.length === 0 && command_id === undefined) return [];
  // The model is asked outside the transaction, and only for what will be displayed.
  const worded = await Promise.all(admitted.map((draft) => wordNudge(draft, model, known.time_zone)));
  return commandUnitOfWork(deps, actor, command_id, (tx) =>
    deliverNudges(tx, user_id, local_time.day, known.policy.daily_cap, worded),
  );
}

/** Whom a round is for, and the command that has asked for it. */
interface NudgedPerson {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly command_id?: string | undefined;
}

async function wordNudge(draft: NudgeDraft, model: TextModel | null, timeZone: string): Promise<WordedNudge> {
  const answer = model === null ? null : await model.reword(wordingInstruction, draft.template);
  const wording = acceptWording(draft, answer);
  return {
    draft,
    message: nudgeMessage({ template: wording ?? draft.template, name: draft.name }),
    worded_by: wording === null ? 'rule' : 'model',
    expires_at: startOfDay(draft.expires_on, timeZone),
  };
}

/** A page of ids, and the id after which the next page begins; null after the last one. */
export interface IdPage {
  readonly ids: string[];
  readonly next_after: string | null;
}

function toIdPage(ids: string[]): IdPage {
  return { ids, next_after: ids[pageSize - 1] ?? null };
}

/** The next people of a tenant who keep a tracker. */
export async function listTrackerUsers(
  { db }: Pick<ProcessDeps, 'db'>,
  tenantId: string,
  after: string | null,
): Promise<IdPage> {
  const users = await read(db, systemActor(tenantId), trackerUsersQuery(after, pageSize));
  return toIdPage(users.map(({ id }) => id));
}

/** The next active tenants. */
export async function listNudgeTenants({ db }: Pick<ProcessDeps, 'db'>, after: string | null): Promise<IdPage> {
  const tenants = await read(db, systemActor(defaultTenantId), nudgeTenantsQuery(after, pageSize));
  return toIdPage(tenants.map(({ tenant_id }) => tenant_id));
}
