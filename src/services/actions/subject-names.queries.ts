import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';

/** What approvers know a thing by, instead of its id. */
const named = {
  campaign: (id: string) => kysely.selectFrom('campaigns').where('id', '=', id).select('name'),
  client: (id: string) => kysely.selectFrom('clients').where('id', '=', id).select('name'),
  contact: (id: string) => kysely.selectFrom('contacts').where('id', '=', id).select('name'),
  integration: (id: string) => kysely.selectFrom('admin_integrations').where('id', '=', id).select('name'),
  user: (id: string) => kysely.selectFrom('users').where('id', '=', id).select('full_name as name'),
} as const;

/** The name of a thing, or its id where the tenant has none. */
export async function subjectName(db: ReadSource, scope: ReadScope, kind: keyof typeof named, id: string): Promise<string> {
  const [found] = await read(db, scope, named[kind](id));
  return found?.name ?? id;
}
