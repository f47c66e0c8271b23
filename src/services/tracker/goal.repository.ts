import type { Selectable } from 'kysely';
import type { CastellanSchema } from '../../entities/kysely-schema.ts';
import { AdminGoalEntity } from '../../entities/tracker/goal.entity.ts';
import { lockOne } from '../../platform/database/entity-row.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

/** The columns of a goal that are displayed. */
export const goalColumns = [
  'id',
  'user_id',
  'week_start',
  'target_discoveries',
  'target_emails',
  'target_videos',
  'target_calls',
  'created_at',
  'updated_at',
] as const;

/** A goal as it is displayed. */
export type GoalRow = Pick<Selectable<CastellanSchema['admin_goals']>, (typeof goalColumns)[number]>;

/** Loads and locks a goal of a person. @throws Problem `resource.not-found`. */
export const lockGoal = (tx: Tx, userId: string, id: number) =>
  lockOne(tx, AdminGoalEntity, { id, user_id: userId }, 'goal');
