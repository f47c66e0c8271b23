import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import { weekStartOf } from '../../domain/tracker/tracker-calendar.ts';
import type { Day } from '../../domain/tracker/tracker-calendar.ts';
import type { CastellanSchema } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { read } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { goalColumns } from './goal.queries.ts';
import { personQuery, trackerPerson } from './tracker-profile.queries.ts';
import type { Person } from './tracker-profile.queries.ts';

const resource_type = 'goal';

type Goal = Pick<Selectable<CastellanSchema['admin_goals']>, (typeof goalColumns)[number]>;
type Targets = Pick<Goal, 'target_discoveries' | 'target_emails' | 'target_videos' | 'target_calls'>;

/** A goal as it is asked for. */
export type NewGoal = Pick<Insertable<CastellanSchema['admin_goals']>, 'week_start' | keyof Targets>;

/** What the first day of a goal's week is moved back to: the Monday, or the first day of the person's own week. */
export type WeekNormalization = 'monday' | 'week_start';

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

/** Sets the goal of a week; the database refuses a second one for the same person and week. */
export async function createGoal(tx: Tx, userId: string, goal: NewGoal): Promise<Goal> {
  const row = await tx.sql
    .insertInto('admin_goals')
    .values({ ...goal, user_id: userId, tenant_id: tx.actor.tenant_id })
    .returning(goalColumns)
    .executeTakeFirstOrThrow();
  tx.audit({ event: 'goal.create', action: 'create', resource_type, resource_id: String(row.id), new_values: row });
  return row;
}

/**
 * Changes the targets that are given.
 *
 * @throws Problem `resource.not-found` when the person has no such goal.
 */
export async function updateGoal(tx: Tx, userId: string, id: number, targets: Partial<Targets>): Promise<Goal> {
  const old_values = await tx.sql
    .selectFrom('admin_goals')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .select(goalColumns)
    .forUpdate()
    .executeTakeFirst();
  if (old_values === undefined) throw notFound('goal');
  const row = await tx.sql
    .updateTable('admin_goals')
    .set({ ...targets, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .returning(goalColumns)
    .executeTakeFirstOrThrow();
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

/** @throws Problem `resource.not-found` when the person has no such goal. */
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
