import { withSuperuser } from './superuser.ts';
import type { HasDatabase } from './superuser.ts';

/** Events of the changes of a thing that succeeded, in the order of the audit. */
export async function auditEvents(app: HasDatabase, resourceType: string, resourceId: string): Promise<string[]> {
  const rows = await withSuperuser(app, (db) =>
    db
      .selectFrom('audit_logs')
      .select('event')
      .where('resource_type', '=', resourceType)
      .where('resource_id', '=', resourceId)
      .where('outcome', '=', 'success')
      .orderBy('seq')
      .execute(),
  );
  return rows.map(({ event }) => event);
}
