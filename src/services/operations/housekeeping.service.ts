import { sql } from 'kysely';
import { defaultTenantId } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** Rows of one kind that one call deletes. */
const batchSize = 1_000;

/**
 * Deletes one batch of expired rows of each kind, of all tenants.
 *
 * @returns the deleted rows by table; `full` when a batch was full, so that there may be more.
 */
export async function purgeExpiredRows({ db }: Pick<ProcessDeps, 'db'>) {
  const purge = sql<{ counts: Record<string, number> }>`select purge_expired_rows(${batchSize}) as counts`;
  const [row] = await writeInfrastructure(
    db,
    { tenant_id: defaultTenantId, user_id: null },
    { compile: () => purge.compile(kysely) },
  );
  const counts = row?.counts ?? {};
  return { counts, full: Object.values(counts).some((removed) => removed >= batchSize) };
}
