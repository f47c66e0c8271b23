import { runMigrations } from 'bullmq';
import { escapeIdentifier } from 'pg';
import { bullmqSchema } from '../services/queue/bullmq-schema.ts';
import { appRole, withClient } from './bootstrap-database.ts';

/**
 * Brings BullMQ's own schema to the version of the installed BullMQ, as the owner of the database, and gives the
 * application what administering needs: it reads and changes jobs, and owns nothing. BullMQ's migrations have no down
 * step, and its jobs are not the product's data: reverting the product's migrations leaves the schema.
 */
export async function migrateQueueSchema(ownerUrl: string): Promise<void> {
  const schema = escapeIdentifier(bullmqSchema);
  const app = escapeIdentifier(appRole);
  await withClient(ownerUrl, async (owner) => {
    await runMigrations(owner, bullmqSchema);
    await owner.query(`revoke all on schema ${schema} from public`);
    await owner.query(`grant usage on schema ${schema} to ${app}`);
    await owner.query(`grant select, insert, update, delete on all tables in schema ${schema} to ${app}`);
    await owner.query(`revoke insert, update, delete on table ${schema}.migration from ${app}`);
    await owner.query(`grant usage on all sequences in schema ${schema} to ${app}`);
  });
}
