import type { Random } from '../random.ts';
import { take } from './approval-operations.ts';
import type { Operation } from './command.ts';
import { newMarker } from './world.ts';
import type { StormTenant } from './world.ts';

const base = '/api/v1/master-admin';
const types = ['discovery', 'email', 'video', 'call'] as const;
const anybody = (tenant: StormTenant, random: Random) => random.pick(tenant.members);

/** A verb on a session that runs. */
function focusCommand(verb: 'pause' | 'resume' | 'complete' | 'interrupt', weight: number): Operation {
  return {
    name: `${verb} a focus session`,
    weight,
    event: `focus_session.${verb}`,
    effects: null,
    mayChangeNothing: true,
    // How much time is left is of the present.
    answersPresentState: true,
    plan: (tenant, random) => {
      const session = take(tenant.sessions, random);
      if (session === undefined) return null;
      // What pauses goes on later, and what ends is over.
      if (verb === 'pause' || verb === 'resume') tenant.sessions.push(session);
      return { person: session.owner, method: 'PUT', path: `${base}/focus-sessions/${session.id}/${verb}`, body: {}, marker: newMarker() };
    },
  };
}

/** What people do in their tracker. */
export const trackerOperations: readonly Operation[] = [
  {
    name: 'log an activity',
    weight: 12,
    event: 'activity.create',
    effects: 'select notes as marker, count(*)::int as n from admin_activities where notes = any($1) group by 1',
    plan: (tenant, random) => {
      const marker = newMarker();
      const date = new Date().toISOString().slice(0, 10);
      const body = { type: random.pick(types), status: 'done', date, amount: 1, notes: marker };
      return { person: anybody(tenant, random), method: 'POST', path: `${base}/activities`, body, marker };
    },
  },
  {
    name: 'begin a focus session',
    weight: 8,
    event: 'focus_session.begin',
    effects: 'select notes as marker, count(*)::int as n from admin_focus_sessions where notes = any($1) group by 1',
    plan: (tenant, random) => {
      const marker = newMarker();
      const body = { duration_minutes: 1, notes: marker };
      return { person: anybody(tenant, random), method: 'POST', path: `${base}/focus-sessions`, body, marker };
    },
    learn: (tenant, { person }, { id }: { id: number }) => tenant.sessions.push({ id, owner: person }),
  },
  focusCommand('pause', 3),
  focusCommand('resume', 3),
  focusCommand('complete', 2),
  focusCommand('interrupt', 1),
];
