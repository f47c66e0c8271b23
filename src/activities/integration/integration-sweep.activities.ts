import { ScheduleNotFoundError } from '@temporalio/client';
import { sql } from 'kysely';
import { defaultTenantId, systemActor } from '../../domain/shared/actor.ts';
import { query } from '../../entities/kysely-schema.ts';
import { read, writeTechnical } from '../../platform/database/read.ts';
import { ensureSchedules } from '../../platform/temporal/schedules.ts';
import { integrationSchedule } from '../../workflows/integration/integration-sync.contract.ts';
import type { ScheduledSyncInput } from '../../workflows/integration/integration-sync.contract.ts';
import type { IntegrationSweepActivities, IntegrationSweepResult } from '../../workflows/integration/integration-sweep.contract.ts';
import type { ActivityDeps } from '../deps.ts';
import { startRotation } from '../../services/integration/key-rotation.client.ts';

type Deps = Pick<ActivityDeps, 'db' | 'temporal'>;

/** What one run looks after at most, of each kind. */
const maxSwept = 500;

type DueRow =
  | { kind: 'schedule'; tenant_id: string; integration_id: string; rotation_id: null }
  | { kind: 'rotation'; tenant_id: string; integration_id: string; rotation_id: string };

/** The hands of `integrationSweepWorkflow`. */
export function createIntegrationSweepActivities(deps: Deps): IntegrationSweepActivities {
  return { sweepIntegrations: () => sweep(deps) };
}

async function sweep(deps: Deps): Promise<IntegrationSweepResult> {
  const statement = sql<DueRow>`select * from integrations_due(${maxSwept})`;
  const due = await read(deps.db, systemActor(defaultTenantId), { compile: () => statement.compile(query) });
  const swept: IntegrationSweepResult = { scheduled: 0, rotating: 0 };
  for (const row of due) {
    if (row.kind === 'schedule') {
      await bringUp(deps, row);
      swept.scheduled += 1;
    } else {
      // It was approved by a worker that died then, or its workflow was lost.
      await startRotation(deps, row);
      swept.rotating += 1;
    }
  }
  return swept;
}

/** Makes the Schedule of an integration what its row says; a row that has changed meanwhile stays due. */
async function bringUp(deps: Deps, { tenant_id, integration_id }: ScheduledSyncInput): Promise<void> {
  const scope = systemActor(tenant_id);
  const [row] = await read(
    deps.db,
    scope,
    query
      .selectFrom('admin_integrations')
      .where('id', '=', integration_id)
      .select(['version', 'is_enabled', 'sync_every_seconds', 'deleted_at']),
  );
  if (row === undefined) return;
  const { version, is_enabled, sync_every_seconds, deleted_at } = row;
  const every = is_enabled && deleted_at === null ? sync_every_seconds : null;
  const schedule = integrationSchedule({ tenant_id, integration_id }, every ?? 60);
  if (every === null) await removeSchedule(deps, schedule.scheduleId);
  else await ensureSchedules(deps.temporal.client, deps.temporal.taskQueue, [schedule]);
  await writeTechnical(
    deps.db,
    scope,
    query
      .updateTable('admin_integrations')
      .set({ is_schedule_due: false })
      .where('id', '=', integration_id)
      .where('version', '=', version),
  );
}

async function removeSchedule({ temporal }: Deps, scheduleId: string): Promise<void> {
  try {
    await temporal.client.schedule.getHandle(scheduleId).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}
