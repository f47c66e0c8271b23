import { hash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { z } from 'zod';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import { unstorableParts } from '../../domain/shared/storable-json.ts';
import type { ApiDeps } from '../deps.ts';
import { plainApplication } from '../http/conditional-get.ts';
import type { ConditionalRequest } from '../http/conditional-get.ts';

/** Where all flags of an environment are evaluated. */
export const evaluateFlagsPath = '/ofrep/v1/evaluate/flags';

/** What is accepted as an evaluation context. */
export const flagContext = z.looseObject({ targetingKey: z.string().max(1000).optional() });

/** Contexts are small; a longer body goes the whole way. */
const maxBodyBytes = 16_384;

/**
 * What the answer depends on, and nothing else: the flags before the point ({@link FlagSnapshot.fingerprint}), the context
 * behind it.
 */
export function flagsEtag(fingerprint: string, context: unknown): string {
  return `${etagStart(fingerprint)}${contextDigest(context)}"`;
}

function etagStart(fingerprint: string): string {
  return `"${fingerprint}.`;
}

function contextDigest(context: unknown): string {
  return hash('sha256', canonicalJson(context), 'base64url');
}

/**
 * Whether a flag has changed for a context. The body is read only when none has changed for anybody; whatever turns out
 * not to be plainly this case goes on with what was read of it.
 */
export function unchangedFlags({
  flagSnapshots,
  serviceTokens,
}: Pick<ApiDeps, 'flagSnapshots' | 'serviceTokens'>): ConditionalRequest {
  const contextDigests = new ContextDigests();
  return {
    method: 'POST',
    route: evaluateFlagsPath,
    cacheControl: 'no-store',
    isAskedBy: (url) => url === evaluateFlagsPath,
    isUnchanged: async (ctx, etag) => {
      const caller = hasSmallJson(ctx.req.headers)
        ? await plainApplication(serviceTokens, ctx.req.headers, 'flag:evaluate')
        : null;
      const environment = caller?.environment ?? null;
      if (caller === null || environment === null) return false;
      const { fingerprint } = await flagSnapshots.get(caller.tenant_id, environment);
      const start = etagStart(fingerprint);
      if (!etag.startsWith(start)) return false;
      const text = await textOf(ctx.req);
      const known = contextDigests.of(text);
      if (known !== null && etag === `${start}${known}"`) return true;
      // Where the body parser would leave it.
      const body = parsed(text);
      if (body instanceof SyntaxError) ctx.state.bodyError = body;
      else ctx.request.body = body;
      return false;
    },
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
      const isPlain = !(body instanceof SyntaxError) && unstorableParts(body).length === 0;
      const context = isPlain ? flagContext.safeParse(body['context'] ?? {}) : null;
      known = context?.success === true ? contextDigest(context.data) : null;
      if (this.#known.size >= maxKnownContexts) this.#known.clear();
      if (text.length <= maxKnownText) this.#known.set(text, known);
    }
    return known;
  }
}

const maxKnownContexts = 2_000;
const maxKnownText = 1_000;

/** A small JSON body in nothing but this. */
function hasSmallJson(headers: IncomingHttpHeaders): boolean {
  const length = Number(headers['content-length'] ?? Number.NaN);
  const isPlain = headers['content-type'] === 'application/json' && headers['content-encoding'] === undefined;
  return isPlain && length > 0 && length <= maxBodyBytes;
}

/** At most {@link maxBodyBytes}: Node reads no more than the Content-Length. */
function textOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    // The iterator of a stream costs several times as much as these bodies.
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete) reject(new Error('The request was broken off.'));
    });
  });
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
