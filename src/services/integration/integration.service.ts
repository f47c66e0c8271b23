import { randomUUID } from 'node:crypto';
import { sameJson } from '../../domain/shared/canonical.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { isPulled } from '../../domain/integration/integration.ts';
import type { IntegrationConfig } from '../../domain/integration/integration.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { Problem } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { generateWebhookSecret } from '../../platform/outbound/webhook.ts';
import { isWebhookSecret } from '../../platform/outbound/webhook-receipt.ts';
import { jsonb } from '../../platform/database/jsonb.ts';
import { assertChanges, nextVersion } from '../../platform/row-version.ts';
import { integrationColumns } from './integration.queries.ts';
import { noStrikes } from './integration-quarantine.service.ts';
import { assertNotRotating, changedNow, integrationSecretPlace, lockIntegration } from './integration.repository.ts';
import type { IntegrationRow } from './integration.repository.ts';

/** An integration that is to be created. */
interface NewIntegration {
  readonly name: string;
  readonly environment: EnvironmentName;
  readonly config: IntegrationConfig;
  /** Null only for a webhook source, for which one is generated. */
  readonly secret: string | null;
  readonly key_id: string | null;
  readonly sync_every_seconds: number | null;
}

/**
 * Creates an integration. Its secret is sealed; from then on only `reveal-secret` shows it.
 *
 * @throws Problem `resource.conflict` for a name in use, `request.invalid` for a secret that does not fit the kind.
 */
export async function createIntegration(tx: Tx, keyring: Keyring, input: NewIntegration) {
  const { config, key_id, sync_every_seconds, name, environment } = input;
  const secret = secretFor(config, input.secret);
  assertSchedulable(config, sync_every_seconds);
  const id = randomUUID();
  const created = await tx.sql
    .insertInto('admin_integrations')
    .values({
      id,
      tenant_id: tx.actor.tenant_id,
      name,
      environment,
      kind: config.kind,
      config: jsonb(config),
      secret_ciphertext: keyring.seal(secret, integrationSecretPlace(id)),
      secret_fingerprint: keyring.fingerprint(secret),
      key_id,
      sync_every_seconds,
      is_schedule_due: sync_every_seconds !== null,
      created_by: tx.actor.user_id,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning(integrationColumns)
    .executeTakeFirst();
  if (created === undefined) throw nameTaken();
  audit(tx, 'create', id, undefined, created);
  return created;
}

/** The secret to store: a webhook source may have it generated, every other kind has to supply it. */
function secretFor({ kind }: IntegrationConfig, given: string | null): string {
  if (kind !== 'webhook_source') {
    if (given !== null) return given;
    throw badSecret('is needed for this kind');
  }
  if (given === null) return generateWebhookSecret();
  if (!isWebhookSecret(given)) throw badSecret('must have the form whsec_<base64 of 24 to 64 bytes>');
  return given;
}

function badSecret(detail: string): Problem {
  return new Problem({
    code: 'request.invalid',
    detail: 'The secret does not fit the kind of the integration.',
    errors: [{ pointer: '/secret', detail }],
  });
}

function assertSchedulable(config: IntegrationConfig, seconds: number | null): void {
  if (seconds === null || isPulled(config)) return;
  const errors = [{ pointer: '/sync_every_seconds', detail: 'is not possible for a webhook source' }];
  throw new Problem({ code: 'request.invalid', detail: 'This kind of integration cannot be synced.', errors });
}

/** What can be changed apart from the connection. */
interface IntegrationChange {
  readonly name?: string | undefined;
  readonly is_enabled?: boolean | undefined;
  readonly sync_every_seconds?: number | null | undefined;
}

/** Renames, switches on or off, or sets the schedule. @throws Problem 404, 409 for a name in use, 412 when stale. */
export async function changeIntegration(tx: Tx, id: string, version: number, change: IntegrationChange) {
  const before = await lockIntegration(tx, id, version);
  assertChanges(before, change, 'integration');
  assertSchedulable(before.config, change.sync_every_seconds ?? null);
  if (change.name !== undefined && change.name !== before.name) await assertNameFree(tx, change.name);
  const { name, ...timing } = change;
  const is_schedule_due = Object.keys(timing).length > 0;
  return save(tx, before, 'update', { ...change, ...(is_schedule_due ? { is_schedule_due } : {}) });
}

/** A new connection. */
export interface NewConnection {
  readonly config: IntegrationConfig;
  /** Null keeps the present secret. */
  readonly sealed: SealedSecret | null;
  /** The remote service's id of the new secret, or of the kept one; undefined leaves it as it is. */
  readonly key_id?: string | null | undefined;
}

/**
 * Replaces the connection of an integration (S2-20). The kind cannot change: another kind is another integration.
 *
 * The secret is sent to where the configuration points. Whoever may not read it must not be able to have it sent to a
 * server of their own, so a new destination requires the secret to be supplied again.
 *
 * @throws Problem 404, 412 when stale, 409 while a key rotation runs. From the switch of a rotation on the secret alone may
 *   be exchanged, so that a rotation can be completed whose key was lost at the remote service.
 */
export async function configureIntegration(tx: Tx, id: string, version: number, connection: NewConnection) {
  const before = await assertConfigurable(tx, id, version, connection);
  const { config, sealed, key_id } = connection;
  const change = {
    config: jsonb(config),
    ...noStrikes,
    ...(sealed === null
      ? {}
      : {
          secret_ciphertext: sealed.ciphertext,
          secret_fingerprint: sealed.fingerprint,
          secret_changed_at: changedNow,
          // The id of the old key is not that of the new one.
          key_id: key_id ?? null,
        }),
    ...(key_id === undefined ? {} : { key_id }),
  };
  return save(tx, before, 'configure', change);
}

/** A secret as the row of its integration keeps it. */
export interface SealedSecret {
  readonly ciphertext: string;
  readonly fingerprint: string;
}

/**
 * Seals a secret for an integration, before the change that stores it: a change that waits for approval holds no other.
 *
 * @throws Problem `request.invalid` for a secret that does not fit the kind.
 */
export function sealSecret(keyring: Keyring, id: string, config: IntegrationConfig, secret: string): SealedSecret {
  const given = secretFor(config, secret);
  return { ciphertext: keyring.seal(given, integrationSecretPlace(id)), fingerprint: keyring.fingerprint(given) };
}

/**
 * Locks an integration and checks that its connection could be replaced.
 *
 * @throws Problem as {@link configureIntegration}.
 */
export async function assertConfigurable(
  tx: Tx,
  id: string,
  version: number,
  { config, sealed }: Pick<NewConnection, 'config' | 'sealed'>,
): Promise<IntegrationRow> {
  const before = await lockIntegration(tx, id, version);
  if (config.kind !== before.kind) {
    const errors = [{ pointer: '/config/kind', detail: `must stay ${before.kind}` }];
    throw new Problem({ code: 'request.invalid', detail: 'The kind of an integration cannot be changed.', errors });
  }
  if (sealed === null && destinationsOf(config) !== destinationsOf(before.config)) {
    throw badSecret('is required again when the destination changes');
  }
  const isSecretOnly = sealed !== null && sameJson(config, before.config);
  await assertNotRotating(tx, id, isSecretOnly ? 'before-switch' : 'open');
  return before;
}

/** Where the secret is sent, in comparable form. */
export function destinationsOf(config: IntegrationConfig): string {
  switch (config.kind) {
    case 'rest_api_key':
      return config.base_url;
    case 'oauth2_client_credentials':
      return `${config.token_url} ${config.base_url}`;
    case 'webhook_source':
      return '';
    case 'postgres_source':
      return `${config.host}:${config.port} ${config.tls}`;
  }
}

/** Locks an integration that is to be deleted. @throws Problem 404, 412 when stale, 409 while a rotation runs. */
export async function assertDeletable(tx: Tx, id: string, version: number): Promise<IntegrationRow> {
  const before = await lockIntegration(tx, id, version);
  await assertNotRotating(tx, id);
  return before;
}

/** Deletes an integration; its jobs are kept. @throws Problem as {@link assertDeletable}. */
export async function deleteIntegration(tx: Tx, id: string, version: number): Promise<void> {
  const before = await assertDeletable(tx, id, version);
  const change = { is_enabled: false, sync_every_seconds: null, is_schedule_due: true, deleted_at: changedNow };
  await save(tx, before, 'delete', change);
}

async function assertNameFree(tx: Tx, name: string): Promise<void> {
  const taken = await tx.sql
    .selectFrom('admin_integrations')
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .select('id')
    .executeTakeFirst();
  if (taken !== undefined) throw nameTaken();
}

function nameTaken(): Problem {
  const errors = [{ pointer: '/name', detail: 'is in use' }];
  return new Problem({ code: 'resource.conflict', detail: 'Another integration has this name.', errors });
}

async function save(tx: Tx, before: IntegrationRow, operation: 'update' | 'configure' | 'delete', change: object) {
  const after = await tx.sql
    .updateTable('admin_integrations')
    .set({ ...change, version: nextVersion(), updated_at: changedNow })
    .where('id', '=', before.id)
    .returning(integrationColumns)
    .executeTakeFirstOrThrow();
  audit(tx, operation, before.id, before, operation === 'delete' ? undefined : after);
  return after;
}

function audit(
  tx: Tx,
  operation: 'create' | 'update' | 'configure' | 'delete',
  id: string,
  before: IntegrationRow | undefined,
  after: IntegrationRow | undefined,
): void {
  tx.audit({
    event: `integration.${operation}`,
    action: operation === 'configure' ? 'update' : operation,
    resource_type: 'integration',
    resource_id: id,
    old_values: before,
    new_values: after,
  });
}
