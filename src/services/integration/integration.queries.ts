import { query } from '../../entities/kysely-schema.ts';
import { notFound } from '../../platform/problem.ts';

/**
 * The integration whose history a list is of, for reading beside the list: an empty list would say that there is one. A
 * removed integration keeps its history.
 */
export function integrationOfList(id: string) {
  return query.selectFrom('admin_integrations').where('id', '=', id).select('id');
}

/** @throws Problem 404 when {@link integrationOfList} found none in the caller's tenant. */
export function assertIntegrationListed(found: readonly { readonly id: string }[]): void {
  if (found.length === 0) throw notFound('integration');
}
