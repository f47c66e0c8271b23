import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { redacted } from '../../domain/audit/audit-secret-names.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { Keyring } from '../../platform/security/keyring.ts';
import { OutboundFailedError, OutboundRefusedError } from '../../platform/outbound/outbound-http.ts';
import type { OutboundHttp } from '../../platform/outbound/outbound-http.ts';
import { Problem, notFound, taken } from '../../platform/problem.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { generateWebhookSecret } from '../../platform/outbound/webhook.ts';
import { assertChanges, assertVersion, nextVersion } from '../../platform/row-version.ts';
import { channelColumns, displayedChannel } from './notification.queries.ts';

const table = 'notification_channels';

/** What a new channel is made of. */
type NewChannel =
  | { readonly kind: 'webhook'; readonly name: string; readonly url: string; readonly events: string[] }
  | { readonly kind: 'email'; readonly name: string; readonly email: string; readonly events: string[] };

/**
 * Refuses a webhook address that deliveries may not call. Every delivery checks again, because names can change.
 *
 * @throws Problem `request.invalid` at `/url`.
 */
export async function assertReachable(outbound: OutboundHttp, url: string): Promise<void> {
  try {
    await outbound.check(url);
  } catch (error) {
    if (!(error instanceof OutboundRefusedError) && !(error instanceof OutboundFailedError)) throw error;
    throw new Problem({
      code: 'request.invalid',
      detail: 'Give an address that the public Internet can reach by https.',
      errors: [{ pointer: '/url', detail: error.message }],
      cause: error,
    });
  }
}

/**
 * Adds a channel.
 *
 * @returns the channel and the signing secret of a webhook, which is readable only here.
 * @throws Problem `resource.conflict` for a name in use, `request.invalid` for the address of another channel as displayed.
 */
export async function createNotificationChannel(tx: Tx, keyring: Keyring, actor: Actor, wanted: NewChannel) {
  if (wanted.kind === 'webhook') assertWholeAddress(wanted.url);
  const id = randomUUID();
  const secret = wanted.kind === 'webhook' ? generateWebhookSecret() : null;
  const channel = await tx.sql
    .insertInto(table)
    .values({
      id,
      tenant_id: actor.tenant_id,
      name: wanted.name,
      kind: wanted.kind,
      url: wanted.kind === 'webhook' ? wanted.url : null,
      email: wanted.kind === 'email' ? wanted.email : null,
      secret_ciphertext: secret === null ? null : keyring.seal(secret, secretPlace(id)),
      events: wanted.events,
      created_by: actor.user_id,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning(channelColumns)
    .executeTakeFirst();
  if (channel === undefined) throw nameTaken();
  tx.audit({
    event: 'notification-channel.create',
    action: 'create',
    resource_type: 'notification_channel',
    resource_id: id,
    new_values: wanted,
  });
  return { channel, secret };
}

/**
 * Changes a channel, or switches it off and on. An address as it was displayed, without its tokens, leaves the stored one.
 *
 * @throws Problem `resource.not-found`, `resource.version-mismatch` when it has changed since it was read,
 *   `resource.conflict` for a name in use, `request.invalid` for an address of an e-mail channel or of another one as
 *   displayed.
 */
export async function updateNotificationChannel(
  tx: Tx,
  expected: { readonly id: string; readonly version: number },
  change: {
    name?: string | undefined;
    url?: string | null | undefined;
    events?: string[] | undefined;
    is_enabled?: boolean | undefined;
  },
) {
  const before = await lockChannel(tx, expected.id);
  assertVersion(before, expected.version);
  const address = changedAddress(before, change.url);
  const { is_enabled, url: _url, ...fields } = change;
  assertChanges(before, { ...fields, is_enabled, ...address }, 'notification channel');
  if (change.name !== undefined && change.name !== before.name) {
    const other = await tx.sql
      .selectFrom(table)
      .where('name', '=', change.name)
      .where('deleted_at', 'is', null)
      .select('id')
      .executeTakeFirst();
    if (other !== undefined) throw nameTaken();
  }
  const switched =
    is_enabled === undefined ? {} : { is_enabled, disabled_reason: is_enabled ? null : ('by_person' as const) };
  const channel = await tx.sql
    .updateTable(table)
    .set({ ...fields, ...address, ...switched, version: nextVersion(), updated_at: sql<string>`clock_timestamp()` })
    .where('id', '=', expected.id)
    .returning(channelColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'notification-channel.update',
    action: 'update',
    resource_type: 'notification_channel',
    resource_id: expected.id,
    old_values: before,
    new_values: channel,
  });
  return channel;
}

/** Removes a channel for good; its deliveries stay on record. @throws Problem `resource.not-found`. */
export async function deleteNotificationChannel(tx: Tx, id: string): Promise<void> {
  const before = await lockChannel(tx, id);
  await tx.sql
    .updateTable(table)
    .set({ deleted_at: sql<string>`clock_timestamp()`, is_enabled: false, disabled_reason: 'by_person' })
    .where('id', '=', id)
    .execute();
  tx.audit({
    event: 'notification-channel.delete',
    action: 'delete',
    resource_type: 'notification_channel',
    resource_id: id,
    old_values: before,
  });
}

/**
 * Gives a webhook a new signing secret; the old one signs as well for `graceSeconds`.
 *
 * @returns the channel and the new secret, which is readable only here.
 * @throws Problem `resource.not-found`, also for an e-mail channel.
 */
export async function rotateChannelSecret(tx: Tx, keyring: Keyring, id: string, graceSeconds: number) {
  const { kind } = await lockChannel(tx, id);
  if (kind !== 'webhook') throw notFound('webhook');
  const { secret_ciphertext } = await tx.sql
    .selectFrom(table)
    .where('id', '=', id)
    .select('secret_ciphertext')
    .executeTakeFirstOrThrow();
  const old = keyring.open(secret_ciphertext ?? '', secretPlace(id));
  const secret = generateWebhookSecret();
  const isHonoured = graceSeconds > 0;
  const channel = await tx.sql
    .updateTable(table)
    .set({
      secret_ciphertext: keyring.seal(secret, secretPlace(id)),
      // A ciphertext is bound to its column, so the old secret is encrypted again for the column it moves to.
      previous_secret_ciphertext: isHonoured ? keyring.seal(old, secretPlace(id, 'previous_secret_ciphertext')) : null,
      previous_secret_expires_at: isHonoured
        ? sql<string>`clock_timestamp() + make_interval(secs => ${graceSeconds})`
        : null,
      version: nextVersion(),
      updated_at: sql<string>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .returning(channelColumns)
    .executeTakeFirstOrThrow();
  tx.audit({
    event: 'notification-channel.rotate-secret',
    action: 'update',
    resource_type: 'notification_channel',
    resource_id: id,
    new_values: { grace_seconds: graceSeconds },
  });
  return { channel, secret };
}

/** The encrypted secrets of a channel, as its row holds them. */
interface SealedSecrets {
  readonly secret_ciphertext: string | null;
  readonly previous_secret_ciphertext: string | null;
  readonly previous_secret_expires_at: string | null;
}

/** The secrets that sign a channel's messages: the present one and, until its grace ends, the one before. */
export function signingSecrets(keyring: Keyring, channelId: string, sealed: SealedSecrets): string[] {
  const { secret_ciphertext, previous_secret_ciphertext, previous_secret_expires_at } = sealed;
  const isHonoured = previous_secret_expires_at !== null && Date.parse(previous_secret_expires_at) > Date.now();
  const secrets = { secret_ciphertext, previous_secret_ciphertext: isHonoured ? previous_secret_ciphertext : null };
  return Object.entries(secrets).flatMap(([column, ciphertext]) =>
    ciphertext === null ? [] : [keyring.open(ciphertext, secretPlace(channelId, column))],
  );
}

/** Switches a channel off whose recipient answered 410, as Standard Webhooks asks. A person may switch it on again. */
export async function disableGoneChannel(tx: Tx, channelId: string): Promise<void> {
  const disabled = await tx.sql
    .updateTable('notification_channels')
    .set({
      is_enabled: false,
      disabled_reason: 'gone',
      version: nextVersion(),
      updated_at: sql<string>`clock_timestamp()`,
    })
    .where('id', '=', channelId)
    .where('is_enabled', '=', true)
    .returning('id')
    .executeTakeFirst();
  if (disabled === undefined) return;
  tx.audit({
    event: 'notification-channel.disable',
    action: 'update',
    resource_type: 'notification_channel',
    resource_id: channelId,
    old_values: { is_enabled: true },
    new_values: { is_enabled: false, disabled_reason: 'gone' },
  });
}

/**
 * The address that a change sets; none where it is left out, or repeated as it was displayed. Clients may have encoded the brackets.
 *
 * @throws Problem `request.invalid` for an address of an e-mail channel, for a webhook without one, and for one as displayed.
 */
function changedAddress(channel: { readonly kind: string; readonly url: string | null }, url: string | null | undefined) {
  if (url === undefined || withBrackets(url ?? '') === withBrackets(displayedChannel(channel).url ?? '')) return {};
  if (channel.kind === 'webhook' && url !== null) return { url: assertWholeAddress(url) };
  throw new Problem({
    code: 'request.invalid',
    detail: channel.kind === 'webhook' ? 'A webhook has an address to call.' : 'Only a webhook has an address to call.',
    errors: [{ pointer: '/url', detail: channel.kind === 'webhook' ? 'must be an address' : 'This channel is an e-mail address.' }],
  });
}

/** @throws Problem `request.invalid` for an address whose token is replaced: nothing could be delivered there. */
function assertWholeAddress(url: string): string {
  if (!withBrackets(url).includes(redacted)) return url;
  throw new Problem({
    code: 'request.invalid',
    detail: 'Give the whole address.',
    errors: [{ pointer: '/url', detail: `holds ${redacted}, which stands in the place of a secret` }],
  });
}

function withBrackets(url: string): string {
  return url.replaceAll(/%5b/gi, '[').replaceAll(/%5d/gi, ']');
}

async function lockChannel(tx: Tx, id: string) {
  const channel = await tx.sql
    .selectFrom(table)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .select(channelColumns)
    .forUpdate()
    .executeTakeFirst();
  if (channel === undefined) throw notFound('notification channel');
  return channel;
}

function secretPlace(id: string, column = 'secret_ciphertext') {
  return { table, column, row_id: id };
}

function nameTaken(): Problem {
  return taken('name', 'There is a notification channel with this name already.');
}
