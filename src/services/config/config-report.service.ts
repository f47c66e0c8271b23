import { sql } from 'kysely';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { writeInfrastructure } from '../../platform/database/read.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';

/** The version that an instance says it runs. */
interface ConfigReport {
  readonly environment: EnvironmentName;
  readonly instance: string;
  readonly version: number;
}

/** Keeps the last report of each instance. */
export async function saveConfigReport(
  { db }: Pick<ProcessDeps, 'db'>,
  scope: ReadScope,
  { environment, instance, version }: ConfigReport,
): Promise<void> {
  await writeInfrastructure(
    db,
    scope,
    kysely
      .insertInto('admin_config_reports')
      .values({ tenant_id: scope.tenant_id, environment, instance, config_version: version })
      .onConflict((conflict) =>
        conflict
          .columns(['tenant_id', 'environment', 'instance'])
          .doUpdateSet({ config_version: version, reported_at: sql<string>`now()` }),
      ),
  );
}
