import { addDays, weekStartOf } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import { AdminGoalEntity } from '../../entities/tracker/goal.entity.ts';
import { toRow } from '../../platform/database/entity-row.ts';
import { read } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem, notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { goalColumns, lockGoal } from './goal.repository.ts';
import type { GoalRow } from './goal.repository.ts';
import { lockTracker } from './tracker-lock.repository.ts';
import { personQuery, trackerPerson } from './tracker-profile.queries.ts';
import type { Person } from './tracker-profile.queries.ts';

const resource_type = 'goal';

type Targets = Pick<GoalRow, 'target_discoveries' | 'target_emails' | 'target_videos' | 'target_calls'>;

/** A goal as it is asked for. */
type NewGoal = Targets & Pick<GoalRow, 'week_start'>;

/** What the first day of a goal's week is moved back to: the Monday, or the first day of the person's own week. */
type WeekNormalization = 'monday' | 'week_start';

/** The first day of a goal's week: the day as given, or moved back on request (S0-76). */
export async function goalWeekStart(
  { db, now }: Pick<ProcessDeps, 'db' | 'now'>,
  owner: Person,
  day: Day,
  normalize: WeekNormalization | undefined,
): Promise<Day> {
  if (normalize === undefined) return day;
  if (normalize === 'monday') return weekStartOf(day, 'monday');
  const [row] = await read(db, owner, personQuery(owner.user_id));
  if (row === undefined) throw notFound('user');
  return weekStartOf(day, trackerPerson(row, now()).week_start);
}

/**
 * Sets the goal of a week: seven days from any day on (S0-76). A day belongs to one goal at most.
 *
 * @throws Problem `resource.conflict` with the goal whose week has days of this one.
 */
export async function createGoal(tx: Tx, userId: string, values: NewGoal): Promise<GoalRow> {
  await lockTracker(tx, userId);
  await assertWeekFree(tx, userId, values.week_start);
  const goal = tx.em.create(AdminGoalEntity, { ...values, user_id: userId });
  await tx.flush();
  const row = toRow(goal, goalColumns);
  tx.audit({ event: 'goal.create', action: 'create', resource_type, resource_id: String(row.id), new_values: row });
  return row;
}

async function assertWeekFree(tx: Tx, userId: string, weekStart: Day): Promise<void> {
  const other = await tx.sql
    .selectFrom('admin_goals')
    .where('user_id', '=', userId)
    .where('week_start', '>=', addDays(weekStart, -6))
    .where('week_start', '<=', addDays(weekStart, 6))
    .orderBy('week_start', 'desc')
    .select(['id', 'week_start'])
    .limit(1)
    .executeTakeFirst();
  if (other === undefined) return;
  const words = `of the goal of the week from ${other.week_start}`;
  throw new Problem({
    code: 'resource.conflict',
    detail: `This week has days ${words}. Change that goal, or choose another week.`,
    errors: [{ pointer: '/week_start', detail: `begins a week that has days ${words}` }],
    members: { goal_id: other.id, week_start: other.week_start },
  });
}

/** Changes the targets that are given. @throws Problem `resource.not-found` when the person has no such goal. */
export async function updateGoal(tx: Tx, userId: string, id: number, targets: Partial<Targets>): Promise<GoalRow> {
  const goal = await lockGoal(tx, userId, id);
  const old_values = toRow(goal, goalColumns);
  tx.em.assign(goal, targets);
  await tx.flush();
  const row = toRow(goal, goalColumns);
  tx.audit({
    event: 'goal.update',
    action: 'update',
    resource_type,
    resource_id: String(id),
    old_values,
    new_values: row,
  });
  return row;
}

/** Deletes a goal, in one statement. @throws Problem `resource.not-found` when the person has no such goal. */
export async function deleteGoal(tx: Tx, userId: string, id: number): Promise<void> {
  const row = await tx.sql
    .deleteFrom('admin_goals')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning(goalColumns)
    .executeTakeFirst();
  if (row === undefined) throw notFound('goal');
  tx.audit({ event: 'goal.delete', action: 'delete', resource_type, resource_id: String(id), old_values: row });
}
