import { z } from 'zod';
import { personQuery, recentScoresQuery, trackerPerson } from '../../services/tracker/tracker-profile.queries.ts';
import type { TrackerPerson } from '../../services/tracker/tracker-profile.queries.ts';
import { notFound } from '../../platform/problem.ts';
import { readAll } from '../../platform/database/read.ts';
import { route } from '../http/route.ts';
import type { HandlerContext } from '../http/route.ts';
import { currentScore, runningStreak, weekOfScores } from '../../services/tracker/score.queries.ts';
import type { ScoreRow } from '../../services/tracker/score.queries.ts';
import { day, ownerOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';
import { ScoreBody } from './tracker.schemas.ts';

type Reader = Pick<HandlerContext<unknown, unknown, unknown>, 'actor' | 'deps' | 'scope'>;

async function loadScores({ actor, deps, scope }: Reader): Promise<{ person: TrackerPerson; scores: ScoreRow[]; userId: string }> {
  const userId = ownerOf(actor);
  const now = deps.now();
  const [[row], scores] = await readAll(deps.db, scope, [personQuery(userId), recentScoresQuery(userId, now)]);
  if (row === undefined) throw notFound('user');
  return { person: trackerPerson(row, now), scores, userId };
}

const getTodayScore = route({
  ...trackerRoute,
  operationId: 'getTodayScore',
  method: 'get',
  path: `${trackerPath}/scores/today`,
  summary: 'Score and streak of today; a day without activities has score 0 and the running streak',
  responses: { 200: ScoreBody },
  handler: async (context) => {
    const { person, scores, userId } = await loadScores(context);
    return currentScore(userId, scores, person);
  },
});

const getWeekScores = route({
  ...trackerRoute,
  operationId: 'getWeekScores',
  method: 'get',
  path: `${trackerPath}/scores/week`,
  summary: 'The seven days of the own week, days without activities with score 0',
  responses: {
    200: z
      .object({ week_start: day, week_end: day, total: z.int().min(0), items: z.array(ScoreBody).length(7) })
      .meta({ id: 'WeekScores' }),
  },
  handler: async (context) => {
    const { person, scores, userId } = await loadScores(context);
    return weekOfScores(userId, scores, person);
  },
});

const getStreak = route({
  ...trackerRoute,
  operationId: 'getStreak',
  method: 'get',
  path: `${trackerPath}/scores/streak`,
  summary: 'The streak that ends today, or yesterday while today is still empty',
  responses: {
    200: z.object({ streak_days: z.int().min(0), date: day.describe('Today in the own time zone') }).meta({ id: 'Streak' }),
  },
  handler: async (context) => {
    const { person, scores } = await loadScores(context);
    return { streak_days: runningStreak(scores, person), date: person.moment.day };
  },
});

export const scoreRoutes = [getTodayScore, getWeekScores, getStreak];
