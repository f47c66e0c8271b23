import { z } from 'zod';
import { focusColumns, presentFocus } from '../../domain/tracker/tracker-focus-view.ts';
import { query } from '../../entities/kysely-schema.ts';
import { currentGoal, currentGoalsQuery, personQuery, progressOfGoal, recentScoresQuery, trackerPerson } from '../../services/tracker/tracker-profile.queries.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { route } from '../http/route.ts';
import { meetingColumns } from '../../services/tracker/meeting.repository.ts';
import { nudgeColumns, visibleNudges } from '../../services/tracker/nudge.queries.ts';
import { currentScore } from './score.schemas.ts';
import { day, ownerOf, trackerRoute } from './tracker.route.ts';
import { FocusSessionBody, GoalProgressBody, MeetingBody, NudgeBody, ScoreBody } from './tracker.schemas.ts';

const shownNudges = 20;
const shownMeetings = 5;

/** S0-81. The first spelling is the monitored one (S0-50), the second that of everything else. */
const getDashboard = route({
  ...trackerRoute,
  operationId: 'getTrackerDashboard',
  method: 'get',
  path: '/api/master-admin/dashboard',
  aliases: ['/api/v1/master-admin/dashboard'],
  summary: 'Today at a glance: score, streak, progress of the week, focus session, nudges and meetings',
  responses: {
    200: z
      .object({
        date: day.describe('Today in the own time zone'),
        score: ScoreBody,
        streak_days: z.int().min(0),
        week_progress: GoalProgressBody.nullable().describe('Null without a goal for this week'),
        active_session: FocusSessionBody.nullable(),
        unread_nudges: z.array(NudgeBody),
        next_meetings: z.array(MeetingBody),
      })
      .meta({ id: 'TrackerDashboard' }),
  },
  handler: async ({ actor, deps, scope }) => {
    const userId = ownerOf(actor);
    const now = deps.now();
    const [[row], scores, goals, [session], nudges, meetings] = await readAll(deps.db, scope, [
      personQuery(userId),
      recentScoresQuery(userId, now),
      currentGoalsQuery(userId, now),
      query.selectFrom('admin_focus_sessions').where('user_id', '=', userId).where('end_time', 'is', null).select(focusColumns),
      visibleNudges(userId, now)
        .where('read', '=', false)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(shownNudges)
        .select(nudgeColumns),
      query
        .selectFrom('admin_meetings')
        .where('user_id', '=', userId)
        .where('outcome', 'is', null)
        .where('scheduled_at', '>=', new Date(now).toISOString())
        .orderBy('scheduled_at')
        .orderBy('id')
        .limit(shownMeetings)
        .select(meetingColumns),
    ]);
    if (row === undefined) throw notFound('user');
    const person = trackerPerson(row, now);
    const score = currentScore(userId, scores, person);
    const goal = currentGoal(goals, person.moment.day);
    return {
      date: person.moment.day,
      score,
      streak_days: score.streak_days,
      week_progress: goal === null ? null : progressOfGoal(goal, person),
      active_session: session === undefined ? null : presentFocus(session, now),
      unread_nudges: nudges,
      next_meetings: meetings,
    };
  },
});

export const trackerDashboardRoutes = [getDashboard];
