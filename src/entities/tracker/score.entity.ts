import { defineEntity, p, tenantPolicies, updatedAt } from '../shared/tenant-columns.ts';
import { ownedColumns } from './tracker-columns.ts';

/** The score of one day with the streak up to it (S0-12, S0-77). Derived: it always equals a recomputation. */
export const AdminScoreEntity = defineEntity({
  name: 'AdminScore',
  tableName: 'admin_scores',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    date: p.date(),
    score: p.integer(),
    streak_days: p.integer().default(0),
    activities_count: p.integer().default(0),
    ...updatedAt,
  },
});

/** A score as text for logs (S0-23). */
export function scoreText(score: { id: number; date: string; score: number }): string {
  return `<AdminScore(id=${score.id}, date=${score.date}, score=${score.score})>`;
}

/** Settings of a person's tracker: rest weekdays, quiet hours, daily cap of nudges. */
export const TrackerSettingsEntity = defineEntity({
  name: 'TrackerSettings',
  tableName: 'admin_tracker_settings',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...ownedColumns,
    rest_weekdays: p.array().columnType('smallint[]').$type<number[]>().defaultRaw("'{}'"),
    quiet_from_minute: p.integer().default(1320),
    quiet_to_minute: p.integer().default(420),
    daily_nudge_cap: p.integer().default(5),
    ...updatedAt,
  },
});

/** Consecutive days off, both ends included; they freeze the streak. */
export const TrackerVacationEntity = defineEntity({
  name: 'TrackerVacation',
  tableName: 'admin_tracker_vacations',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: { ...ownedColumns, starts_on: p.date(), ends_on: p.date() },
});
