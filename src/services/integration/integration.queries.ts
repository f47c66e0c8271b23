import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { IntegrationKind } from '../../domain/integration/integration.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../platform/database/read.ts';
import { notFound } from '../../platform/problem.ts';

/** Columns of an integration that may leave the database; no secret is among them. */
export const integrationColumns = [
  'id',
  'name',
  'kind',
  'environment',
  'config',
  'secret_fingerprint',
  'secret_changed_at',
  'key_id',
  'is_enabled',
  'sync_every_seconds',
  'last_sync_status',
  'last_sync_at',
  'strikes',
  'last_strike_at',
  'last_strike_reason',
  'quarantined_at',
  'created_by',
  'created_at',
  'updated_at',
  'version',
] as const;

const existing = () => kysely.selectFrom('admin_integrations').where('deleted_at', 'is', null);

/** Existing integrations, for a page; a filter that is undefined does not restrict. */
export const integrationsQuery = (filter: {
  readonly kind?: IntegrationKind | undefined;
  readonly environment?: EnvironmentName | undefined;
}) =>
  existing()
    .where((eb) => eb.and({ kind: filter.kind, environment: filter.environment }))
    .select(integrationColumns);

/** One existing integration. @throws Problem 404. */
export async function findIntegration(db: ReadSource, scope: ReadScope, id: string) {
  const [row] = await read(db, scope, existing().where('id', '=', id).select(integrationColumns));
  if (row === undefined) throw notFound('integration');
  return row;
}

/** @throws Problem 404 for an integration that does not exist in the caller's tenant, or is deleted. */
export async function assertIntegrationExists(db: ReadSource, scope: ReadScope, id: string): Promise<void> {
  const [row] = await read(db, scope, existing().where('id', '=', id).select('id'));
  if (row === undefined) throw notFound('integration');
}

/**
 * The integration that a list belongs to, read in the same round trip as the list: an empty list alone would not tell
 * that the integration does not exist. A deleted integration keeps its history.
 */
export function integrationOfList(id: string) {
  return kysely.selectFrom('admin_integrations').where('id', '=', id).select('id');
}

/** @throws Problem 404 when {@link integrationOfList} found none in the caller's tenant. */
export function assertIntegrationListed(found: readonly { readonly id: string }[]): void {
  if (found.length === 0) throw notFound('integration');
}

/** The records that were fetched from an integration, for a page. */
export const recordsQuery = (integrationId: string) =>
  kysely
    .selectFrom('integration_records')
    .where('integration_id', '=', integrationId)
    .select(['id', 'external_id', 'payload', 'payload_digest', 'sync_job_id', 'missing_since', 'created_at', 'updated_at']);
