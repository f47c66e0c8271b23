import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';
import { trackEveryLook, trackViews } from './helpers/onboarding-access-20261130.ts';

const outcomes = `'shown', 'saved', 'completed', 'replayed', 'stale', 'not_allowed', 'refused', 'expired', 'revoked', 'already_completed'`;
const constraint = 'onboarding_link_access_outcome_check';

/** Mail scanners look at every link: their look is recorded as `viewed`, and opens nothing (X-28, U-19). */
export class Migration20261130163000_link_views extends Migration {
  override up(): void {
    const statements = [
      `alter table onboarding_link_access drop constraint ${constraint}`,
      `alter table onboarding_link_access add constraint ${constraint} check (outcome in (${outcomes}, 'viewed'))`,
      trackViews,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      trackEveryLook,
      `alter table onboarding_link_access drop constraint ${constraint}`,
      ...overAllRows(['onboarding_link_access'], ["update onboarding_link_access set outcome = 'shown' where outcome = 'viewed'"]),
      `alter table onboarding_link_access add constraint ${constraint} check (outcome in (${outcomes}))`,
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
