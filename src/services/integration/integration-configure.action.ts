import { sql } from 'kysely';
import { z } from 'zod';
import { changesBetween } from '../../domain/approval/change-detail.ts';
import type { IntegrationConfig } from '../../domain/integration/integration.ts';
import type { JsonObject } from '../../domain/shared/canonical.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { ReadScope, ReadSource } from '../../platform/database/read.ts';
import { rowVersion } from '../../platform/row-version-input.ts';
import { defineAction, onlyExistence } from '../actions/action.ts';
import { subjectName } from '../actions/subject-names.queries.ts';
import { assertPermittedAddresses } from './integration-addresses.service.ts';
import { integrationConfig, integrationKeyId } from './integration.payload.ts';
import { startIntegrationSweep } from './integration-sweep.client.ts';
import { assertConfigurable, assertDeletable, configureIntegration, deleteIntegration, destinationsOf } from './integration.service.ts';
import { uuid } from '../../platform/value-schemas.ts';

function integrationQuery(id: string) {
  return kysely
    .selectFrom('admin_integrations')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .select(['name', 'environment', 'config', 'version']);
}

/** A connection as approvers read it, member by member. */
function asObject(config: IntegrationConfig): JsonObject {
  return JSON.parse(JSON.stringify(config)) as JsonObject;
}

async function find(db: ReadSource, scope: ReadScope, id: string) {
  const [row] = await read(db, scope, integrationQuery(id));
  return row;
}

const configurePayload = z.strictObject({
  integration_id: uuid,
  version: rowVersion,
  config: integrationConfig,
  /** Whether the secret is replaced, known before it is sealed. */
  replaces_secret: z.boolean(),
  sealed: z.strictObject({ ciphertext: z.string(), fingerprint: z.string() }).nullable(),
  key_id: integrationKeyId.nullable().optional(),
});

/** The present values of what a replacement replaces: name and schedule, and what its runs count, are none of them. */
function touchedBy({ replaces_secret, key_id }: z.output<typeof configurePayload>) {
  const secret = replaces_secret ? sql`, 'secret_fingerprint', secret_fingerprint` : sql``;
  const key = key_id === undefined ? sql`` : sql`, 'key_id', key_id`;
  return sql<JsonObject>`jsonb_build_object('config', config${secret}${key})`;
}

/**
 * Replaces the connection of an integration (S2-20). A new secret or destination in production takes an approval: it is the
 * same as rotating its key by another way (R9).
 */
export const integrationConfigure = defineAction({
  name: 'integration.configure',
  title: 'Replace the connection of an integration',
  permission: 'integration:manage',
  payload: configurePayload,
  madeByRoute: ['sealed', 'replaces_secret'],
  secret: true,
  environment: () => null,
  floor: () => 'mfa',
  unwrittenGate: 'mfa',
  demands: {
    depends_on: ['environment'],
    gate: async (db, scope, { integration_id, config, replaces_secret }) => {
      const row = await find(db, scope, integration_id);
      if (row?.environment !== 'production') return 'mfa';
      return replaces_secret || destinationsOf(config) !== destinationsOf(row.config) ? 'approval' : 'mfa';
    },
  },
  basis: (payload) => ({
    base_version: payload.version,
    judged_by: 'touched',
    query: integrationQuery(payload.integration_id).select(touchedBy(payload).as('touched')),
  }),
  reason: () => null,
  describe: ({ integration_id }) => `Replace the connection of the integration ${integration_id}.`,
  present: async (db, scope, { integration_id, config, replaces_secret }) => {
    const row = await find(db, scope, integration_id);
    return {
      description: `Replace the connection of the integration '${row?.name ?? integration_id}' in ${row?.environment ?? 'no environment'}.`,
      changes: [
        ...changesBetween(row === undefined ? null : asObject(row.config), asObject(config)),
        ...(replaces_secret ? [{ field: 'secret', before: 'the present one', after: 'another one' }] : []),
      ],
    };
  },
  precheck: ({ outbound }, { config }) => assertPermittedAddresses(outbound, config),
  check: async (tx, { integration_id, version, config, sealed }) => {
    await assertConfigurable(tx, integration_id, version, { config, sealed });
  },
  execute: async (tx, { integration_id, version, config, sealed, key_id }) => {
    await configureIntegration(tx, integration_id, version, { config, sealed, key_id });
    return { integration_id };
  },
  undo: () => null,
});

const deletePayload = z.strictObject({ integration_id: uuid, version: rowVersion });

/** Deletes an integration; of production with an approval, because making it anew would be the way around its gates. */
export const integrationDelete = defineAction({
  name: 'integration.delete',
  title: 'Delete an integration',
  permission: 'integration:manage',
  payload: deletePayload,
  environment: () => null,
  floor: () => 'mfa',
  unwrittenGate: 'mfa',
  demands: {
    depends_on: ['environment'],
    gate: async (db, scope, { integration_id }) =>
      (await find(db, scope, integration_id))?.environment === 'production' ? 'approval' : 'mfa',
  },
  basis: ({ integration_id, version }) => ({
    base_version: version,
    judged_by: 'touched',
    query: integrationQuery(integration_id).select(onlyExistence),
  }),
  reason: () => null,
  describe: ({ integration_id }) => `Delete the integration ${integration_id}.`,
  present: async (db, scope, { integration_id }) => {
    const name = await subjectName(db, scope, 'integration', integration_id);
    return { description: `Delete the integration '${name}'.`, changes: [{ field: 'integration', before: name, after: null }] };
  },
  check: async (tx, { integration_id, version }) => {
    await assertDeletable(tx, integration_id, version);
  },
  execute: async (tx, { integration_id, version }) => {
    await deleteIntegration(tx, integration_id, version);
    return { integration_id };
  },
  undo: () => null,
  afterCommit: (deps, { payload }) => startIntegrationSweep(deps, payload.integration_id),
});
