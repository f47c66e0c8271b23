import { withoutSecrets } from '../../domain/audit/audit-redaction.ts';
import type { DeliveryStatus } from '../../entities/notification/notification.entity.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { newestFirst } from '../../platform/database/keyset-page.ts';
import type { Page } from '../../platform/database/keyset-page.ts';

/** The columns of a channel that are displayed, its address by {@link displayedChannel}. */
export const channelColumns = [
  'id',
  'name',
  'kind',
  'url',
  'email',
  'events',
  'is_enabled',
  'disabled_reason',
  'previous_secret_expires_at',
  'created_at',
  'updated_at',
  'version',
] as const;

/** The channels of the tenant that are not removed. Callers add filters and a page. */
export function channelsQuery() {
  return kysely.selectFrom('notification_channels').where('deleted_at', 'is', null).select(channelColumns);
}

/** A channel for people: its address without tokens, which are a way in for whoever reads them (S2-58). */
export function displayedChannel<Channel extends { readonly url: string | null }>(channel: Channel): Channel {
  return { ...channel, url: channel.url === null ? null : withoutSecrets(channel.url) };
}

/** The columns of a delivery that are displayed. */
export const deliveryColumns = [
  'id',
  'channel_id',
  'user_id',
  'kind',
  'event',
  'subject',
  'status',
  'attempts',
  'last_status',
  'last_error',
  'next_attempt_at',
  'delivered_at',
  'created_at',
] as const;

/** A delivery with what an attempt needs: its message, the channel and the address of the person. */
export function deliveryAttemptQuery(deliveryId: string) {
  return kysely
    .selectFrom('notification_deliveries as d')
    .leftJoin('notification_channels as c', 'c.id', 'd.channel_id')
    .leftJoin('users as u', 'u.id', 'd.user_id')
    .where('d.id', '=', deliveryId)
    .select(['d.id', 'd.kind', 'd.event', 'd.subject', 'd.body', 'd.payload', 'd.attempts', 'd.created_at'])
    .select(['d.channel_id', 'c.url', 'c.email as channel_email', 'c.is_enabled', 'c.deleted_at'])
    .select(['c.secret_ciphertext', 'c.previous_secret_ciphertext', 'c.previous_secret_expires_at'])
    .select(['u.email as user_email', 'u.status as user_status']);
}

interface DeliveryFilter {
  readonly channel_id?: string | undefined;
  readonly status?: DeliveryStatus | undefined;
}

/** One page of deliveries, newest first. */
export function deliveriesQuery({ channel_id, status }: DeliveryFilter, page: Page) {
  return kysely
    .selectFrom('notification_deliveries')
    .where((eb) => eb.and({ channel_id, status }))
    .$call(newestFirst(page))
    .select(deliveryColumns);
}

/** The last fifty mails that were not sent because this is development, newest first. */
export function developmentMailsQuery({ recipient }: { readonly recipient?: string | undefined }) {
  return kysely
    .selectFrom('development_mails')
    .where((eb) => eb.and({ recipient }))
    .orderBy('id', 'desc')
    .limit(50)
    .select(['recipient', 'subject', 'body', 'created_at']);
}
