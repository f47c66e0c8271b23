import { z } from 'zod';
import { namePosition, newestFirst, newestPage, pageOf, pageQuery, parseCursor } from '../../platform/database/keyset-page.ts';
import { notFound } from '../../platform/problem.ts';
import { expectedVersion, versionEtag } from '../../platform/row-version.ts';
import { changeFlag } from '../../services/flag/flag-change.service.ts';
import { changeReason, flagContent, flagEnvironment, flagKey, withSoundness } from '../../services/flag/flag.payload.ts';
import { flagHistoryQuery, flagPage, flagQuery, flagsByKeyQuery } from '../../services/flag/flag.queries.ts';
import { ApprovalBody } from '../approval/approval.schemas.ts';
import { reply, route } from '../http/route.ts';
import { FlagBody, FlagHistoryBody } from './flag.schemas.ts';

const tag = 'feature_flag';

const keyParams = z.object({ key: flagKey });
const reason = changeReason.nullable().default(null);

const getFeatureFlags = route({
  operationId: 'getFeatureFlags',
  method: 'get',
  path: '/admin/feature-flags',
  tag,
  summary: 'Feature flags by key, one for each environment',
  description: '`limit` counts keys: a page has all environments of each of its keys.',
  permission: 'flag:read',
  gate: 'none',
  query: z.strictObject({ ...pageQuery, environment: flagEnvironment.optional() }),
  responses: { 200: pageOf(FlagBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ query: { limit, cursor, environment }, read }) => {
    const after = parseCursor(cursor, namePosition);
    return flagPage(await read(flagsByKeyQuery(environment, { after, limit })), limit);
  },
});

const getFeatureFlag = route({
  operationId: 'getFeatureFlag',
  method: 'get',
  path: '/admin/feature-flags/:key',
  tag,
  summary: 'One flag in one environment; send its ETag as If-Match to change it',
  permission: 'flag:read',
  gate: 'none',
  params: keyParams,
  query: z.strictObject({ environment: flagEnvironment }),
  responses: { 200: FlagBody },
  problems: ['resource.not-found'],
  handler: async ({ params, query: { environment }, read }) => {
    const [flag] = await read(flagQuery({ ...params, environment }));
    if (flag === undefined) throw notFound('feature flag');
    return reply(200, flag, { etag: versionEtag(flag.version) });
  },
});

const CreateBody = withSoundness(flagContent.extend({ key: flagKey, environment: flagEnvironment, reason }));

const createPayload = ({ body }: { body: z.output<typeof CreateBody> }) => {
  const { key, environment, reason: why, ...definition } = body;
  return { key, environment, definition, reason: why };
};

const createFeatureFlag = route({
  operationId: 'createFeatureFlag',
  method: 'post',
  path: '/admin/feature-flags',
  tag,
  summary: 'Create a flag in one environment',
  permission: 'flag:manage',
  gate: { action: 'flag.create', environment: ({ body }) => body.environment, payload: createPayload },
  body: CreateBody,
  responses: { 201: FlagBody, 202: ApprovalBody },
  problems: ['mfa.required', 'resource.conflict', 'approval.policy-unsatisfiable'],
  handler: ({ gate, change, ...input }) =>
    change(async (tx) => {
      const flag = await changeFlag(tx, 'flag.create', createPayload(input), gate);
      return reply(201, flag, { etag: versionEtag(flag.version) });
    }),
});

const UpdateBody = withSoundness(flagContent.extend({ environment: flagEnvironment, reason }));

interface UpdateInput {
  readonly params: { key: string };
  readonly body: z.output<typeof UpdateBody>;
}

const updatePayload = ({ params, body }: UpdateInput, { ifMatch }: { ifMatch: string | null }) => {
  const { environment, reason: why, ...definition } = body;
  return { key: params.key, environment, version: expectedVersion(ifMatch), definition, reason: why };
};

const updateFeatureFlag = route({
  operationId: 'updateFeatureFlag',
  method: 'put',
  path: '/admin/feature-flags/:key',
  tag,
  summary: 'Replace the definition of a flag in one environment',
  description:
    'If-Match names the version that the change is based on; an outdated one is refused with the three-way ' +
    'difference.',
  permission: 'flag:manage',
  gate: { action: 'flag.update', environment: ({ body }) => body.environment, payload: updatePayload },
  params: keyParams,
  body: UpdateBody,
  requiresIfMatch: true,
  responses: { 200: FlagBody, 202: ApprovalBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'resource.conflict',
    'resource.version-mismatch',
    'resource.version-required',
    'approval.policy-unsatisfiable',
  ],
  handler: ({ gate, request, change, ...input }) =>
    change(async (tx) => {
      const flag = await changeFlag(tx, 'flag.update', updatePayload(input, request), gate);
      return reply(200, flag, { etag: versionEtag(flag.version) });
    }),
});

const ToggleBody = z.strictObject({
  environment: flagEnvironment,
  enabled: z.boolean(),
  version: z.int().min(1).describe('The version that the change is based on'),
  reason,
});

const togglePayload = ({ params, body }: { params: { key: string }; body: z.output<typeof ToggleBody> }) => ({
  key: params.key,
  ...body,
});

const toggleFeatureFlag = route({
  operationId: 'toggleFeatureFlag',
  method: 'post',
  path: '/admin/feature-flags/:key/toggle',
  tag,
  summary: 'Switch a flag on for everybody, or off',
  description: 'In production this opens an approval request and answers 202; elsewhere it requires a second factor.',
  permission: 'flag:toggle',
  gate: { action: 'flag.toggle', environment: ({ body }) => body.environment, payload: togglePayload },
  params: keyParams,
  body: ToggleBody,
  responses: { 200: FlagBody, 202: ApprovalBody },
  problems: [
    'mfa.required',
    'resource.not-found',
    'resource.conflict',
    'flag.version-conflict',
    'approval.policy-unsatisfiable',
  ],
  handler: ({ gate, change, ...input }) =>
    change(async (tx) => {
      const flag = await changeFlag(tx, 'flag.toggle', togglePayload(input), gate);
      return reply(200, flag, { etag: versionEtag(flag.version) });
    }),
});

const emergencyOff = route({
  operationId: 'emergencyOffFeatureFlag',
  method: 'post',
  path: '/admin/feature-flags/:key/emergency-off',
  tag,
  summary: 'Switch a flag off immediately; another user reviews it afterwards',
  description:
    'Switching it on again passes the regular gate. A flag whose `off_is_safe` is false is refused: it is switched off ' +
    'through the regular gate, too.',
  permission: 'flag:emergency-off',
  gate: 'mfa',
  params: keyParams,
  body: z.strictObject({ environment: flagEnvironment, reason: changeReason }),
  responses: { 200: FlagBody },
  problems: ['mfa.required', 'resource.not-found', 'resource.conflict', 'flag.off-not-safe'],
  handler: async ({ params, body, change }) => {
    const payload = { key: params.key, ...body };
    return change(async (tx) => {
      const flag = await changeFlag(tx, 'flag.emergency-off', payload, { kind: 'emergency' });
      return reply(200, flag, { etag: versionEtag(flag.version) });
    });
  },
});

const getFeatureFlagHistory = route({
  operationId: 'getFeatureFlagHistory',
  method: 'get',
  path: '/admin/feature-flags/:key/history',
  tag,
  summary: 'Every version of a flag, newest first',
  permission: 'flag:read',
  gate: 'none',
  params: keyParams,
  query: z.strictObject({ ...pageQuery, environment: flagEnvironment.optional() }),
  responses: { 200: pageOf(FlagHistoryBody) },
  problems: ['request.cursor-invalid'],
  handler: async ({ params, query: { limit, cursor, environment }, read }) =>
    newestPage(await read(flagHistoryQuery(params.key, environment).$call(newestFirst({ limit, cursor }))), limit),
});

/** Feature flags: S2-14..16, S2-60, X-21. */
export const featureFlagRoutes = [
  getFeatureFlags,
  getFeatureFlag,
  createFeatureFlag,
  updateFeatureFlag,
  toggleFeatureFlag,
  emergencyOff,
  getFeatureFlagHistory,
];
