import { sql } from 'kysely';
import type { ClientExportFilters } from '../../domain/client-record/client-export.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst, newestPage } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { countClients } from './client.queries.ts';
import type { ClientFilter } from './client.queries.ts';

/** The approved exports of the one who asks, newest first. */
export async function ownExports(db: ReadSource, scope: ReadScope, page: Page) {
  const list = kysely
    .selectFrom('client_exports')
    .where('requested_by', '=', scope.user_id)
    .select(['id', 'filters', 'reason', 'approval_id', 'expires_at', 'downloads', 'last_downloaded_at', 'created_at'])
    .select(sql<'available' | 'expired'>`case when expires_at > now() then 'available' else 'expired' end`.as('state'));
  return newestPage(await read(db, scope, list.$call(newestFirst(page))), page.limit);
}

/** The filter of a list that finds what an approved export holds. */
export function filterOf({ state, kind, created_by, created_from, created_to }: ClientExportFilters): ClientFilter {
  return {
    state,
    kind: kind ?? undefined,
    created_by: created_by ?? undefined,
    created_from: created_from ?? undefined,
    created_to: created_to ?? undefined,
    erased: false,
  };
}

/** How many clients an export would hold now; not exact where there are more than are counted. */
export function countExported(db: ReadSource, scope: ReadScope, filters: ClientExportFilters) {
  return countClients(db, scope, filterOf(filters));
}

/** The full CPF of clients, by their ids; of those that have been erased meanwhile there is none. */
export async function fullCpfs(db: ReadSource, scope: ReadScope, ids: readonly string[]): Promise<Map<string, string | null>> {
  const query = kysely
    .selectFrom('clients')
    .where('id', '=', sql<string>`any(${ids}::uuid[])`)
    .where('erased_at', 'is', null)
    .select(['id', 'cpf']);
  return new Map((await read(db, scope, query)).map(({ id, cpf }) => [id, cpf]));
}
