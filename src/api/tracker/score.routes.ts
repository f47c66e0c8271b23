import { currentScore, loadScores, runningStreak, weekOfScores } from '../../services/tracker/score.queries.ts';
import { route } from '../http/route.ts';
import { ScoreBody, StreakBody, WeekScoresBody } from './score.schemas.ts';
import { ownerOf, personOf, trackerPath, trackerRoute } from './tracker-route-defaults.ts';

const today = route({
  ...trackerRoute,
  operationId: 'getTodayScore',
  method: 'get',
  path: `${trackerPath}/scores/today`,
  summary: 'Score and streak of today; a day without activities has score 0 and the current streak',
  responses: { 200: ScoreBody },
  handler: async ({ actor, deps }) => {
    const { person, scores } = await loadScores(deps, personOf(actor));
    return currentScore(ownerOf(actor), scores, person);
  },
});

const week = route({
  ...trackerRoute,
  operationId: 'getWeekScores',
  method: 'get',
  path: `${trackerPath}/scores/week`,
  summary: 'The seven days of the caller’s week; days without activities have score 0',
  responses: { 200: WeekScoresBody },
  handler: async ({ actor, deps }) => {
    const { person, scores } = await loadScores(deps, personOf(actor));
    return weekOfScores(ownerOf(actor), scores, person);
  },
});

const streak = route({
  ...trackerRoute,
  operationId: 'getStreak',
  method: 'get',
  path: `${trackerPath}/scores/streak`,
  summary: 'The streak that ends today, or yesterday while today has no score yet',
  responses: { 200: StreakBody },
  handler: async ({ actor, deps }) => {
    const { person, scores } = await loadScores(deps, personOf(actor));
    return { streak_days: runningStreak(scores, person), date: person.local_time.day };
  },
});

export const scoreRoutes = [today, week, streak];
