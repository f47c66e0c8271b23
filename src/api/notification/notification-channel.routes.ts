import { z } from 'zod';
import { newestFirst, newestPage, pageOf, pageQuery } from '../../platform/database/keyset-page.ts';
import { notFound } from '../../platform/problem.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { email, idParams, webAddress } from '../../platform/value-schemas.ts';
import {
  assertReachable,
  createNotificationChannel,
  deleteNotificationChannel,
  rotateChannelSecret,
  updateNotificationChannel,
} from '../../services/notification/notification-channel.service.ts';
import { channelsQuery, displayedChannel } from '../../services/notification/notification.queries.ts';
import { reply, route } from '../http/route.ts';
import { ChannelBody, ChannelWithSecretBody, channelEvents, channelName } from './notification.schemas.ts';

const listChannels = route({
  operationId: 'listNotificationChannels',
  method: 'get',
  path: '/admin/notifications/channels',
  tag: 'Notifications',
  summary: 'Notification channels of the tenant',
  permission: 'notification:read',
  gate: 'none',
  query: z.strictObject(pageQuery),
  responses: { 200: pageOf(ChannelBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor }, read }) => {
    const rows = await read(channelsQuery().$call(newestFirst({ limit, cursor })));
    return newestPage(rows, limit, displayedChannel);
  },
});

const getChannel = route({
  operationId: 'getNotificationChannel',
  method: 'get',
  path: '/admin/notifications/channels/:id',
  tag: 'Notifications',
  summary: 'One channel',
  permission: 'notification:read',
  gate: 'none',
  params: idParams,
  responses: { 200: ChannelBody },
  problems: ['resource.not-found'],
  handler: async ({ params, read }) => {
    const [channel] = await read(channelsQuery().where('id', '=', params.id));
    if (channel === undefined) throw notFound('notification channel');
    return reply(200, displayedChannel(channel), { etag: versionEtag(channel.version) });
  },
});

const addChannel = route({
  operationId: 'createNotificationChannel',
  method: 'post',
  path: '/admin/notifications/channels',
  tag: 'Notifications',
  summary: 'Add a webhook or an e-mail address',
  description:
    'Webhooks are signed according to Standard Webhooks. The address must be https and public; it is checked now and ' +
    'at every delivery.',
  permission: 'notification:manage',
  gate: 'mfa',
  body: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('webhook'), name: channelName, url: webAddress, events: channelEvents }),
    z.strictObject({ kind: z.literal('email'), name: channelName, email, events: channelEvents }),
  ]),
  responses: { 201: ChannelWithSecretBody },
  problems: ['resource.conflict', 'mfa.required'],
  handler: async ({ body, deps, actor, change }) => {
    if (body.kind === 'webhook') await assertReachable(deps.outbound, body.url);
    return change(async (tx) => {
      const { channel, secret } = await createNotificationChannel(tx, deps.keyring, actor, body);
      return reply(201, { ...displayedChannel(channel), secret }, { etag: versionEtag(channel.version) });
    });
  },
});

const updateChannel = route({
  operationId: 'updateNotificationChannel',
  method: 'patch',
  path: '/admin/notifications/channels/:id',
  tag: 'Notifications',
  summary: 'Change, disable or enable a channel',
  permission: 'notification:manage',
  gate: 'mfa',
  params: idParams,
  body: z
    .strictObject({
      name: channelName.optional(),
      url: webAddress.nullable().optional().describe('As it was shown, or null for an e-mail channel, leaves it'),
      events: channelEvents.optional(),
      is_enabled: z.boolean().optional(),
    })
    .refine((body) => Object.keys(body).length > 0, 'Give at least one field.'),
  requiresIfMatch: true,
  responses: { 200: ChannelBody },
  problems: ['resource.not-found', 'resource.version-mismatch', 'resource.conflict', 'mfa.required'],
  handler: async ({ params, body, request, deps, change }) => {
    const version = expectedVersion(request.ifMatch);
    if (body.url != null) await assertReachable(deps.outbound, body.url);
    return change(async (tx) => {
      const channel = await updateNotificationChannel(tx, { id: params.id, version }, body);
      return reply(200, displayedChannel(channel), { etag: versionEtag(channel.version) });
    });
  },
});

const deleteChannel = route({
  operationId: 'deleteNotificationChannel',
  method: 'delete',
  path: '/admin/notifications/channels/:id',
  tag: 'Notifications',
  summary: 'Remove a channel; the records of its deliveries are retained',
  permission: 'notification:manage',
  gate: 'mfa',
  params: idParams,
  responses: { 204: null },
  problems: ['resource.not-found', 'mfa.required'],
  handler: ({ params, change }) =>
    change(async (tx) => {
      await deleteNotificationChannel(tx, params.id);
    }),
});

const rotateSecret = route({
  operationId: 'rotateNotificationSecret',
  method: 'post',
  path: '/admin/notifications/channels/:id/rotate-secret',
  tag: 'Notifications',
  summary: 'Replace the signing secret of a webhook',
  description: 'For `grace_hours` every message carries two signatures, one by each secret.',
  permission: 'notification:manage',
  gate: 'mfa',
  params: idParams,
  body: z.strictObject({ grace_hours: z.int().min(0).max(168).default(24) }),
  responses: { 200: ChannelWithSecretBody },
  problems: ['resource.not-found', 'mfa.required'],
  handler: ({ params, body, deps, change }) =>
    change(async (tx) => {
      const { channel, secret } = await rotateChannelSecret(tx, deps.keyring, params.id, body.grace_hours * 3_600);
      return { ...displayedChannel(channel), secret };
    }),
});

/** The channels through which a tenant is notified. */
export const notificationChannelRoutes = [
  listChannels,
  getChannel,
  addChannel,
  updateChannel,
  deleteChannel,
  rotateSecret,
];
