import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Middleware, ParameterizedContext } from 'koa';
import { z } from 'zod';
import type { Actor } from '../domain/actor.ts';
import { canonicalJson } from '../domain/canonical.ts';
import type { ApiDeps } from './deps.ts';
import { isServiceToken } from './identity/service-token.ts';
import type { RequestState } from './middleware/request-context.ts';

/** Where all flags of an environment are evaluated. */
export const evaluateFlagsPath = '/ofrep/v1/evaluate/flags';

/** What is accepted as an evaluation context. */
export const flagContext = z.looseObject({ targetingKey: z.string().max(1000).optional() });

const bearer = /^Bearer ([\w-]+)$/i;
/** Contexts are small; a longer body goes the whole way. */
const maxBodyBytes = 16_384;

/**
 * What the answer depends on, and nothing else: the flags and the tenant that rules see before the point, the context
 * behind it.
 */
export function flagsEtag(fingerprint: string, tenantId: string, context: unknown): string {
  return `${etagStart(fingerprint, tenantId)}${digest(canonicalJson(context))}"`;
}

function etagStart(fingerprint: string, tenantId: string): string {
  return `"${digest(`${fingerprint}/${tenantId}`)}.`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/**
 * Answers the question that applications ask all the time, whether a flag has changed for them, when the answer is no: 304
 * in front of every other middleware. The token is looked up and judged as everywhere. The body is read only when no flag
 * has changed; whatever turns out not to be plainly this case goes the whole way, with what was read of it. What is
 * answered here is counted, but neither logged nor traced.
 */
export function unchangedFlags(
  deps: Pick<ApiDeps, 'flagSnapshots' | 'metrics' | 'serviceTokens'>,
): Middleware<RequestState> {
  const { flagSnapshots, metrics } = deps;
  const contextDigests = new ContextDigests();

  /** Whether no flag has changed for this caller. Leaves what was read of the body where the parser would. */
  const isUnchanged = async (ctx: ParameterizedContext<RequestState>, etag: string): Promise<boolean> => {
    const caller = await plainCaller(deps, ctx.req);
    if (caller === null) return false;
    const { fingerprint } = await flagSnapshots.get(caller.tenant_id, caller.environment);
    const start = etagStart(fingerprint, caller.tenant_id);
    if (!etag.startsWith(start)) return false;
    const text = await textOf(ctx.req);
    const known = contextDigests.of(text);
    if (known !== null && etag === `${start}${known}"`) return true;
    const body = parsed(text);
    if (body instanceof SyntaxError) ctx.state.bodyError = body;
    else ctx.request.body = body;
    return false;
  };

  return async (ctx, next) => {
    const { headers, method, url } = ctx.req;
    const etag = headers['if-none-match'];
    const started = performance.now();
    if (etag === undefined || method !== 'POST' || url !== evaluateFlagsPath || !(await isUnchanged(ctx, etag))) {
      await next();
      return;
    }
    ctx.status = 304;
    ctx.set({ etag, 'cache-control': 'no-store' });
    metrics.httpRequests.inc({ method, route: evaluateFlagsPath, status: '304' });
    metrics.httpDuration.observe({ method, route: evaluateFlagsPath }, (performance.now() - started) / 1000);
  };
}

/** Digests of the contexts of bodies, by their text: the same applications ask with the same contexts again and again. */
class ContextDigests {
  readonly #known = new Map<string, string | null>();

  /** Null for a body without a valid context. */
  of(text: string): string | null {
    let known = this.#known.get(text);
    if (known === undefined) {
      const body = parsed(text);
      const context = body instanceof SyntaxError ? null : flagContext.safeParse(body['context'] ?? {});
      known = context?.success === true ? digest(canonicalJson(context.data)) : null;
      if (this.#known.size >= maxKnownContexts) this.#known.clear();
      if (text.length <= maxKnownText) this.#known.set(text, known);
    }
    return known;
  }
}

const maxKnownContexts = 2_000;
const maxKnownText = 1_000;

/** An application with a token of one environment that sends a small JSON body, in nothing but this. */
async function plainCaller(
  { serviceTokens }: Pick<ApiDeps, 'serviceTokens'>,
  { headers }: IncomingMessage,
): Promise<{ tenant_id: string; environment: NonNullable<Actor['environment']> } | null> {
  const token = bearer.exec(headers.authorization ?? '')?.[1];
  const length = Number(headers['content-length'] ?? Number.NaN);
  const isPlain =
    headers['content-type'] === 'application/json' &&
    headers['content-encoding'] === undefined &&
    headers.origin === undefined &&
    headers['traceparent'] === undefined &&
    length > 0 &&
    length <= maxBodyBytes;
  if (!isPlain || token === undefined || !isServiceToken(token)) return null;
  const caller = await serviceTokens.find(token);
  const environment = caller?.environment ?? null;
  if (caller === null || environment === null || !caller.permissions.includes('flag:evaluate')) return null;
  return { tenant_id: caller.tenant_id, environment };
}

/** At most {@link maxBodyBytes}: Node reads no more than the Content-Length. */
async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The object that the text is, or the error that the body parser would give. */
function parsed(text: string): Record<string, unknown> | SyntaxError {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    return new SyntaxError('The body is no JSON object.');
  } catch (error) {
    return error instanceof SyntaxError ? error : new SyntaxError(String(error));
  }
}
