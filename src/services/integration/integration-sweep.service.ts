import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read, writeInfrastructure } from '../../platform/database/read.ts';
import type { ProcessDeps } from '../../platform/process-deps.ts';
import { setSyncSchedule } from './integration-sync.client.ts';
import { startRotation } from './key-rotation.client.ts';

type Deps = Pick<ProcessDeps, 'db' | 'temporal'>;

/** Rows that one sweep handles at most. */
const maxSwept = 500;

type DueRow =
  | { kind: 'schedule'; tenant_id: string; integration_id: string; rotation_id: null }
  | { kind: 'rotation'; tenant_id: string; integration_id: string; rotation_id: string };

/**
 * Brings Temporal up to the rows of all tenants: the Schedules of integrations whose settings have changed, and the
 * workflows of rotations that have none, because their worker died after the approval or the workflow was lost.
 *
 * @returns how many Schedules and rotations were handled.
 */
export async function sweepIntegrations(deps: Deps): Promise<{ scheduled: number; rotating: number }> {
  const statement = sql<DueRow>`select * from integrations_due(${maxSwept})`;
  const due = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(kysely) });
  const swept = { scheduled: 0, rotating: 0 };
  for (const row of due) {
    if (row.kind === 'schedule') {
      await updateSchedule(deps, row);
      swept.scheduled += 1;
    } else {
      await startRotation(deps, row);
      swept.rotating += 1;
    }
  }
  return swept;
}

/** Makes the Schedule of an integration what its row says. A row that has changed meanwhile stays due. */
async function updateSchedule(
  deps: Deps,
  { tenant_id, integration_id }: { readonly tenant_id: string; readonly integration_id: string },
): Promise<void> {
  const scope = systemActor(tenant_id);
  const [row] = await read(
    deps.db,
    scope,
    kysely
      .selectFrom('admin_integrations')
      .where('id', '=', integration_id)
      .select(['version', 'is_enabled', 'sync_every_seconds', 'deleted_at']),
  );
  if (row === undefined) return;
  const { version, is_enabled, sync_every_seconds, deleted_at } = row;
  const everySeconds = is_enabled && deleted_at === null ? sync_every_seconds : null;
  await setSyncSchedule(deps, { tenant_id, integration_id }, everySeconds);
  await writeInfrastructure(
    deps.db,
    scope,
    kysely
      .updateTable('admin_integrations')
      .set({ is_schedule_due: false })
      .where('id', '=', integration_id)
      .where('version', '=', version),
  );
}
