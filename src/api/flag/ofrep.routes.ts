import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import type { Actor } from '../../domain/shared/actor.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { FlagDefinition } from '../../domain/flag/flag.ts';
import { evaluateFlag } from '../../domain/flag/flag-evaluation.ts';
import type { FlagContext } from '../../domain/flag/flag-evaluation.ts';
import { Problem } from '../../platform/problem.ts';
import { environmentName } from '../approval/approval.schemas.ts';
import { CachedResponse, reply, route } from '../http/route.ts';
import type { HttpResponse } from '../http/route.ts';

const tag = 'flag_evaluation';

/** Error codes of the OpenFeature remote evaluation protocol that a server gives. */
const errorCodes = ['TARGETING_KEY_MISSING', 'INVALID_CONTEXT', 'FLAG_NOT_FOUND'] as const;

const Failure = z
  .object({ key: z.string(), errorCode: z.enum(errorCodes), errorDetails: z.string() })
  .meta({ id: 'OfrepFailure' });

const BulkFailure = z
  .object({ errorCode: z.enum(errorCodes), errorDetails: z.string() })
  .meta({ id: 'OfrepBulkFailure' });

const Success = z
  .object({
    key: z.string(),
    value: z.json(),
    variant: z.string(),
    reason: z.enum(['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'DEFAULT']),
    metadata: z.object({ rule: z.string().optional().describe('Name of the rule that decided') }),
  })
  .meta({ id: 'OfrepEvaluation' });

/** An evaluation context of OpenFeature. */
const flagContext = z.looseObject({ targetingKey: z.string().max(1000).optional() });

/** The handler checks the context itself: the protocol has an answer of its own for an invalid one. */
const Body = z.looseObject({ context: z.json().optional().describe('OpenFeature evaluation context') });

const environmentQuery = z.strictObject({
  environment: environmentName.optional().describe('For users; a service token reads its own environment only'),
});

const evaluateOne = route({
  operationId: 'evaluateFlag',
  method: 'post',
  path: '/ofrep/v1/evaluate/flags/:key',
  tag,
  summary: 'Evaluate one flag (OpenFeature remote evaluation protocol)',
  permission: 'flag:evaluate',
  gate: 'none',
  params: z.object({ key: z.string().min(1).max(200) }),
  query: environmentQuery,
  body: Body,
  responses: { 200: Success, 400: Failure, 404: Failure },
  problems: ['auth.forbidden'],
  idempotency: false,
  rateLimit: false,
  handler: async ({ actor, deps, params: { key }, query, body }) => {
    const { flags } = await deps.flagSnapshots.get(actor.tenant_id, environmentOf(actor, query.environment));
    const flag = flags.get(key);
    if (flag === undefined) return failure(404, key, 'FLAG_NOT_FOUND');
    const given = flagContext.safeParse(body.context ?? {});
    if (!given.success) return failure(400, key, 'INVALID_CONTEXT');
    const evaluation = evaluate(key, flag, given.data as FlagContext, actor);
    return 'errorCode' in evaluation ? reply(400, evaluation) : evaluation;
  },
});

const evaluateAll = route({
  operationId: 'evaluateFlags',
  method: 'post',
  path: '/ofrep/v1/evaluate/flags',
  tag,
  summary: 'Evaluate all flags of an environment (OpenFeature remote evaluation protocol)',
  description: 'Send the ETag as If-None-Match: 304 means that no flag has changed for this context.',
  permission: 'flag:evaluate',
  gate: 'none',
  query: environmentQuery,
  body: Body,
  responses: { 200: z.object({ flags: z.array(z.union([Success, Failure])) }), 304: null, 400: BulkFailure },
  problems: ['auth.forbidden'],
  idempotency: false,
  rateLimit: false,
  notModified: ({ query, body }) => {
    const context = contextOf(body);
    return async (deps, actor) => {
      if (context === null) return null;
      const { fingerprint } = await deps.flagSnapshots.get(actor.tenant_id, environmentOf(actor, query.environment));
      return { etag: bulkEtag(fingerprint, context), 'cache-control': 'no-store' };
    };
  },
  handler: async ({ actor, deps, query, body, request }) => {
    const context = contextOf(body);
    const environment = environmentOf(actor, query.environment);
    if (context === null) return reply(400, { errorCode: 'INVALID_CONTEXT', errorDetails: details.INVALID_CONTEXT });
    const { flags, fingerprint } = await deps.flagSnapshots.get(actor.tenant_id, environment);
    const etag = bulkEtag(fingerprint, context);
    if (request.ifNoneMatch === etag) return reply(304, null, { etag });
    return (
      bulkAnswers.get(etag) ??
      cacheAnswer(etag, [...flags].map(([key, flag]) => evaluate(key, flag, context.given, actor)))
    );
  },
});

/** The context to evaluate all flags for, and its digest; null for an invalid one. */
function contextOf(body: z.output<typeof Body>): { given: FlagContext; digest: string } | null {
  const given = flagContext.safeParse(body.context ?? {});
  if (!given.success) return null;
  return { given: given.data as FlagContext, digest: hash('sha256', canonicalJson(given.data), 'base64url') };
}

/** What the answer depends on, and nothing else: the flags ({@link FlagSnapshot.fingerprint}) and the context. */
function bulkEtag(fingerprint: string, { digest }: { digest: string }): string {
  return `"${fingerprint}.${digest}"`;
}

/**
 * Answers by their ETag, which stands for all that they depend on: flags, tenant and context. With a hundred flags an
 * answer has about fifteen kilobytes.
 */
const bulkAnswers = new LRUCache<string, CachedResponse>({ max: 500 });

function cacheAnswer(etag: string, flags: readonly unknown[]): CachedResponse {
  const answer = new CachedResponse(200, { flags }, { etag });
  bulkAnswers.set(etag, answer);
  return answer;
}

const details = {
  TARGETING_KEY_MISSING: 'The flag is rolled out to a part of the subjects; name the subject in targetingKey.',
  INVALID_CONTEXT: 'The context must be an object, and its targetingKey a text.',
  FLAG_NOT_FOUND: 'There is no such flag in this environment.',
} as const satisfies Record<(typeof errorCodes)[number], string>;

function failure(status: number, key: string, errorCode: (typeof errorCodes)[number]): HttpResponse {
  return reply(status, { key, errorCode, errorDetails: details[errorCode] });
}

function evaluate(
  key: string,
  flag: FlagDefinition,
  given: FlagContext,
  { tenant_id }: Actor,
): Record<string, unknown> {
  const result = evaluateFlag(key, flag, given, tenant_id);
  if (result.outcome === 'targeting-key-missing') {
    return { key, errorCode: 'TARGETING_KEY_MISSING', errorDetails: details.TARGETING_KEY_MISSING };
  }
  const { value, variant, reason, rule } = result;
  return { key, value, variant, reason, metadata: rule === null ? {} : { rule } };
}

/** @throws Problem `auth.forbidden` for a service token that is bound to another environment, or to none. */
function environmentOf(actor: Pick<Actor, 'kind' | 'environment'>, asked: EnvironmentName | undefined): EnvironmentName {
  if (actor.kind === 'user') return asked ?? 'production';
  const bound = actor.environment ?? null;
  if (bound !== null && (asked === undefined || asked === bound)) return bound;
  throw new Problem({ code: 'auth.forbidden', detail: 'This token does not read that environment.' });
}

/** What applications read flags through, with any OpenFeature SDK. */
export const ofrepRoutes = [evaluateOne, evaluateAll];
