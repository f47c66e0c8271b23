import { presentFocus } from '../../domain/tracker/tracker-focus-session.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { readAll } from '../../platform/database/read.ts';
import { activeFocusSessionQuery } from './focus-session.queries.ts';
import { currentGoal, currentGoalsQuery, progressOfGoal } from './goal.queries.ts';
import { upcomingMeetingsQuery } from './meeting.queries.ts';
import { visibleNudgesQuery } from './nudge.queries.ts';
import { currentScore, recentScoresQuery } from './score.queries.ts';
import { personQuery, trackerPerson } from './tracker-profile.queries.ts';
import type { Person } from './tracker-profile.queries.ts';

const nudgesDisplayed = 20;
const meetingsDisplayed = 5;

/** Today at a glance (S0-81), in one round trip. */
export async function loadTrackerDashboard(
  { db, now }: Pick<ProcessDeps, 'db' | 'now'>,
  { tenant_id, user_id }: Person,
) {
  const time = now();
  const [[row], scores, goals, [session], nudges, meetings] = await readAll(db, { tenant_id, user_id }, [
    personQuery(user_id),
    recentScoresQuery(user_id, time),
    currentGoalsQuery(user_id, time),
    activeFocusSessionQuery(user_id),
    visibleNudgesQuery(user_id, time)
      .where('read', '=', false)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(nudgesDisplayed),
    upcomingMeetingsQuery(user_id, time).limit(meetingsDisplayed),
  ]);
  if (row === undefined) throw notFound('user');
  const person = trackerPerson(row, time);
  const score = currentScore(user_id, scores, person);
  const goal = currentGoal(goals, person.local_time.day);
  return {
    date: person.local_time.day,
    score,
    streak_days: score.streak_days,
    week_progress: goal === null ? null : progressOfGoal(goal, person),
    active_session: session === undefined ? null : presentFocus(session, time),
    unread_nudges: nudges,
    next_meetings: meetings,
  };
}
