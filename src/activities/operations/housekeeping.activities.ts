import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { writeTechnical } from '../../platform/database/read.ts';
import type { HousekeepingActivities, PurgeCounts } from '../../workflows/operations/housekeeping.contract.ts';
import type { ActivityDeps } from '../deps.ts';

/** Rows of one kind removed by one call. */
const batchSize = 1_000;

/** The hands of the housekeeping workflow. */
export function createHousekeepingActivities({ db }: Pick<ActivityDeps, 'db'>): HousekeepingActivities {
  return {
    async purgeExpiredRows() {
      const purge = sql<{ counts: PurgeCounts }>`select purge_expired_rows(${batchSize}) as counts`;
      const [row] = await writeTechnical(
        db,
        { tenant_id: defaultTenantId, user_id: null },
        { compile: () => purge.compile(query) },
      );
      const counts = row?.counts ?? {};
      return { counts, full: Object.values(counts).some((removed) => removed >= batchSize) };
    },
  };
}
