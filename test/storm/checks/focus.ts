import { upBetween } from '../stack/uptime.ts';
import { tenantIds } from './history.ts';
import type { StormHistory } from './history.ts';
import { Findings } from './violation.ts';
import type { Finding } from './violation.ts';

const limitMs = 60_000;

/**
 * The timer of each session ends it a minute late at most. Counted is the time in which a worker, Temporal and the database were
 * up together since it was due, whether in one piece or in several: nobody can end a session while they are away.
 */
export async function checkFocusTimers(history: StormHistory): Promise<Finding> {
  const found = new Findings(4);
  const { db, looks } = history;
  const sessions = await db
    .selectFrom('admin_focus_sessions')
    .where('tenant_id', 'in', tenantIds(history))
    .select(['id', 'due_at', 'end_time', 'ending', 'paused_at'])
    .execute();
  const entries = await db
    .selectFrom('audit_logs')
    .where('event', '=', 'focus_session.expire')
    .where('tenant_id', 'in', tenantIds(history))
    .select(['resource_id', 'recorded_at'])
    .execute();
  const endedAt = new Map(entries.map(({ resource_id, recorded_at }) => [resource_id, Date.parse(recorded_at)]));
  const late: number[] = [];
  const lateByClock: number[] = [];
  for (const { id, due_at, end_time, ending, paused_at } of sessions) {
    const due = Date.parse(due_at);
    if (ending === null && paused_at === null) {
      const waited = upBetween(looks, due, Date.now());
      found.expect(waited <= limitMs, 'a timer that has not ended its session', () => `session ${id}, due ${due_at}, ${waited} ms of up time ago`);
    }
    if (ending !== 'timer') continue;
    found.expect(end_time === due_at, 'a timer has ended its session at another time', () => `session ${id}, due ${due_at}, ended ${end_time}`);
    const at = endedAt.get(String(id));
    if (at === undefined) continue; // the reconciliation with the audit says so
    const lateness = upBetween(looks, due, at);
    late.push(lateness);
    lateByClock.push(Math.max(0, at - due));
    found.expect(lateness <= limitMs, 'a timer is late', () => `session ${id}, due ${due_at}, ended ${new Date(at).toISOString()}, ${lateness} ms of up time later`);
  }
  found.figure('sessions', sessions.length);
  found.figure('ended by timer', late.length);
  found.figure('latest in ms of up time', Math.round(Math.max(0, ...late)));
  found.figure('latest in ms by the clock', Math.round(Math.max(0, ...lateByClock)));
  return found.finding;
}
