import { z } from 'zod';
import { configDigestText, configEnvironment, configVersionNumber } from '../../services/config/config.payload.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import { saveConfigReport } from '../../services/config/config-report.service.ts';
import type { ServableConfig } from '../../services/config/config-snapshot-cache.ts';
import { Problem } from '../../platform/problem.ts';
import type { ApiDeps } from '../deps.ts';
import { reply, route } from '../http/route.ts';
import type { NotModifiedHeaders } from '../http/route.ts';

const tag = 'configuration';

const params = z.object({ environment: configEnvironment });

/** Names one running instance of an application: a host name, a pod. No personal data. */
const instance = z
  .string()
  .regex(/^[\w.:-]{1,200}$/)
  .describe('Stable name of the instance; it decides whether the instance is in the share of a rollout');

const getConfig = route({
  operationId: 'getConfig',
  method: 'get',
  path: '/config/:environment',
  tag,
  summary: 'The configuration of an environment, for an instance of an application',
  description:
    'A service token of the environment gets secrets in plain text; users get them masked. Send the ETag as ' +
    'If-None-Match: 304 means that nothing has changed for this instance.',
  permission: 'config:read',
  gate: 'none',
  params,
  query: z.strictObject({ instance: instance.optional() }),
  responses: {
    200: z
      .object({ environment: configEnvironment, version: configVersionNumber, digest: configDigestText, document: z.json() })
      .meta({ id: 'ServedConfig' }),
    304: null,
  },
  problems: ['auth.forbidden', 'config.none'],
  rateLimit: false,
  notModified: (input) => async (deps, actor) => {
    const served = await servedTo(deps, actor, input);
    return served === null ? null : headersOf(actor, served);
  },
  handler: async ({ actor, deps, params: { environment }, query }) => {
    const served = await servedTo(deps, actor, { params: { environment }, query });
    if (served === null) throw new Problem({ code: 'config.none', detail: `Nothing is configured for ${environment} yet.` });
    const { version, digest } = served;
    const document = actor.kind === 'service' ? served.document : served.masked;
    return reply(200, { environment, version, digest, document }, headersOf(actor, served));
  },
});

interface Asked {
  readonly params: z.output<typeof params>;
  readonly query: { readonly instance?: string | undefined };
}

async function servedTo(
  deps: Pick<ApiDeps, 'configSnapshots'>,
  actor: Pick<Actor, 'kind' | 'tenant_id' | 'environment'>,
  { params: { environment }, query }: Asked,
): Promise<ServableConfig | null> {
  assertReadsEnvironment(actor, environment);
  return deps.configSnapshots.serve(actor.tenant_id, environment, query.instance ?? null);
}

/** Masked and clear are two representations of one version, each with a tag of its own. */
function headersOf({ kind }: Pick<Actor, 'kind'>, { etag }: ServableConfig): NotModifiedHeaders {
  return { etag: kind === 'service' ? etag : etag.replace(/"$/, '-masked"'), 'cache-control': 'private, no-cache' };
}

const reportConfig = route({
  operationId: 'reportConfigVersion',
  method: 'post',
  path: '/config/:environment/report',
  tag,
  summary: 'Report which version an instance runs',
  permission: 'config:read',
  gate: 'none',
  params,
  body: z.strictObject({ instance, version: configVersionNumber }).meta({ id: 'ConfigVersionReport' }),
  responses: { 204: null },
  problems: ['auth.forbidden'],
  // Only the last report counts, so a repetition is harmless.
  idempotency: false,
  rateLimit: false,
  handler: async ({ actor, body, deps, params: { environment }, scope }) => {
    assertReadsEnvironment(actor, environment);
    await saveConfigReport(deps, scope, { environment, ...body });
    return reply(204);
  },
});

/** @throws Problem `auth.forbidden` for a service token that is bound to another environment, or to none. */
function assertReadsEnvironment(
  { kind, environment: bound }: Pick<Actor, 'kind' | 'environment'>,
  environment: EnvironmentName,
): void {
  if (kind === 'user' || bound === environment) return;
  throw new Problem({ code: 'auth.forbidden', detail: 'This token does not read that environment.' });
}

/** What applications read their configuration through, and report to. */
export const configRoutes = [getConfig, reportConfig];
