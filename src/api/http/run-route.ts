import { Readable } from 'node:stream';
import type { Middleware, ParameterizedContext } from 'koa';
import { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import { payloadDigest } from '../../platform/security/digest.ts';
import { consumeMfaProof } from '../../platform/security/mfa-token.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ApiDeps } from '../deps.ts';
import { claimIdempotencyKey } from '../../services/operations/idempotency-key.repository.ts';
import { authenticate } from './authenticate.ts';
import { assertPermission } from './authorize.ts';
import { auditRefusedRequest } from './audit-refused-request.ts';
import type { RequestState } from './request-context.ts';
import { parseInput } from './parse-input.ts';
import { RawJson, CachedResponse, HttpResponse, reply } from './route.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { HandlerContext, Route } from './route.ts';
import type { Gate, Input } from './route-description.ts';

type Context = ParameterizedContext<RequestState>;

/** Runs one route: authenticate, check the permission, validate, pass the gate, act once, present. */
export function runRoute(route: Route, deps: ApiDeps): Middleware<RequestState> {
  const [defaultStatus] = Object.keys(route.responses).map(Number);
  if (defaultStatus === undefined) throw new Error(`Route ${route.operationId} declares no response.`);
  const takesIdempotencyKey = route.method === 'post' && route.idempotency !== false;
  return async (ctx) => {
    ctx.state.routePath = route.path;
    const actor = await authenticate(deps, route, ctx);
    try {
      assertPermission(actor, route);
      assertMediaType(route, ctx);
      const input = parseInput(route, ctx);
      if (route.requiresIfMatch === true && ctx.state.info.ifMatch === null) {
        throw new Problem({ code: 'resource.version-required', detail: 'Send If-Match with the ETag you have read.' });
      }
      const gate = await resolveGate(deps, route, actor, input);
      const mfa = gate === 'none' ? null : await verifyProof(deps, route, actor, input, ctx);
      const answer = async () => present(route, await act({ deps, route, actor, input, gate, mfa, ctx }), defaultStatus);
      const key = takesIdempotencyKey ? ctx.get('idempotency-key') : '';
      send(ctx, key === '' ? await answer() : await actOnce({ deps, actor, input, key, answer, ctx }));
    } catch (error) {
      await auditRefusedRequest(deps, route, actor, ctx, error);
      throw error;
    }
  };
}

/** The app lets the media types of all uploads through; here each route takes its own. */
function assertMediaType({ uploads, body }: Route, ctx: Context): void {
  const { type } = ctx.request;
  const takesJson = body === undefined || type === '' || type === 'application/json';
  if (uploads === undefined ? takesJson : uploads.includes(type)) return;
  const expected = (uploads ?? ['application/json']).join(' or ');
  throw new Problem({ code: 'request.unsupported-media-type', detail: `Send a body of type ${expected}.` });
}

async function resolveGate(deps: ApiDeps, route: Route, actor: Actor, input: RouteInput): Promise<GateLevel> {
  const { gate } = route;
  if (typeof gate === 'string') return gate;
  return deps.approvals.resolveGate(actor, gate.action, gate.environment?.(input) ?? null);
}

type RouteInput = Input<Record<string, string>, Record<string, unknown>, unknown>;

class RouteProof implements MfaProof {
  readonly challenge_id: string;
  #spent = false;

  constructor(challengeId: string) {
    this.challenge_id = challengeId;
  }

  delegate(): string {
    this.#spent = true;
    return this.challenge_id;
  }

  get spent(): boolean {
    return this.#spent;
  }
}

/** The name under which a factor proof is asked for: the action of a policy gate, else the operation. */
function gatedAction(route: Route): string {
  const gate: Gate<never, never, never> = route.gate;
  return typeof gate === 'string' ? route.operationId : gate.action;
}

async function verifyProof(
  deps: ApiDeps,
  route: Route,
  actor: Actor,
  input: RouteInput,
  ctx: Context,
): Promise<RouteProof> {
  const action = gatedAction(route);
  const { params, query } = input;
  const digest = payloadDigest({
    operation: route.operationId,
    params,
    // The query is part of the operation (`transfer_to`); most gated routes have none.
    ...(Object.keys(query).length === 0 ? {} : { query }),
    body: input.body ?? null,
  });
  const token = ctx.get('x-mfa-token');
  const { user_id, session_id } = actor;
  const challengeId =
    token === '' || user_id === null || session_id === null
      ? null
      : await deps.mfaTokens.verify(token, { user_id, session_id, action, payload_digest: digest });
  if (challengeId === null) {
    throw new Problem({
      code: 'mfa.required',
      detail:
        'Ask for a code with POST /admin/mfa/request for this action and payload_digest, verify it, and repeat the ' +
        'request with the token in X-MFA-Token.',
      members: { action, payload_digest: digest },
    });
  }
  return new RouteProof(challengeId);
}

interface Call {
  readonly deps: ApiDeps;
  readonly route: Route;
  readonly actor: Actor;
  readonly input: RouteInput;
  readonly gate: GateLevel;
  readonly mfa: RouteProof | null;
  readonly ctx: Context;
}

async function act({ deps, route, actor, input, gate, mfa, ctx }: Call): Promise<unknown> {
  const { gate: declared } = route;
  if (gate === 'approval' && typeof declared !== 'string' && mfa !== null) {
    const view = await deps.approvals.open({
      actor,
      action: declared.action,
      environment: declared.environment?.(input) ?? null,
      payload: declared.payload(input, { ifMatch: ctx.state.info.ifMatch }),
      mfa,
    });
    return reply(202, view);
  }
  const context: HandlerContext<Record<string, string>, Record<string, unknown>, unknown> = {
    ...input,
    deps,
    request: ctx.state.info,
    actor,
    gate,
    mfa,
    scope: actor,
    upload: route.uploads === undefined ? Readable.from([]) : ctx.req,
    raw: { body: ctx.request.rawBody ?? '', headers: ctx.req.headers },
    read: (query) => read(deps.db, actor, query),
    unitOfWork: (work) =>
      unitOfWork(deps.db, actor, async (tx) => {
        if (mfa !== null && !mfa.spent) await consumeMfaProof(tx, mfa.challenge_id, actor);
        return work(tx);
      }).then((result) => {
        mfa?.delegate();
        return result;
      }),
  };
  const result = await route.handler(context);
  if (mfa !== null && !mfa.spent) {
    // A gated handler that never opened a unit of work would leave its proof usable a second time.
    throw new Error(`Route ${route.operationId} did not consume its factor proof.`);
  }
  return result;
}

interface OnceOptions {
  readonly deps: ApiDeps;
  readonly actor: Actor;
  readonly input: RouteInput;
  readonly key: string;
  readonly answer: () => Promise<HttpResponse>;
  readonly ctx: Context;
}

/** Acts for the first request with a key; its repetitions get the same answer. */
async function actOnce({ deps, actor, input, key, answer, ctx }: OnceOptions): Promise<HttpResponse> {
  const request = { method: ctx.method, path: ctx.path, body: input.body };
  const claim = await claimIdempotencyKey(deps, actor, key, request);
  if (claim.replay !== null) {
    const { status, headers, body } = claim.replay;
    return reply(status, body, { ...headers, 'idempotency-replayed': 'true' });
  }
  let given: HttpResponse;
  try {
    given = await answer();
  } catch (error) {
    await claim.release().catch(() => undefined);
    throw error;
  }
  // The change is committed, so the answer is given even if it cannot be stored; its key stays claimed for a minute.
  await claim.store(given).catch((error: unknown) => ctx.state.log.error({ err: error, request_id: ctx.state.info.id }));
  return given;
}

/** Parses the body with its schema: undeclared fields never leave, an undeclared status is our own fault. */
function present(route: Route, result: unknown, defaultStatus: number): HttpResponse {
  if (!(result instanceof CachedResponse)) return checked(route, result, defaultStatus);
  if (result.presented === undefined) {
    const { status, body, headers } = checked(route, result, defaultStatus);
    result.presented = reply(status, new RawJson(JSON.stringify(body)), headers);
  }
  return result.presented;
}

function checked(route: Route, result: unknown, defaultStatus: number): HttpResponse {
  const { status, body, headers } = result instanceof HttpResponse ? result : reply(defaultStatus, result);
  const spec = route.responses[status];
  if (spec === undefined) throw new Error(`Route ${route.operationId} answered undeclared status ${status}.`);
  if (spec === null) return reply(status, null, { ...headers });
  if (!(spec instanceof z.ZodType)) return reply(status, body, { ...headers });
  const parsed = spec.safeParse(body);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new Error(`Route ${route.operationId} answered with a body that breaks its schema: ${fields}`);
  }
  return reply(status, parsed.data, { ...headers });
}

function send(ctx: Context, { status, body, headers }: HttpResponse): void {
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
  const { ifNoneMatch } = ctx.state.info;
  if (ctx.method === 'GET' && ifNoneMatch !== null && ifNoneMatch === headers['etag']) {
    ctx.status = 304;
  } else if (body instanceof Readable) {
    ctx.status = status;
    ctx.body = body;
  } else if (body === null) {
    ctx.body = null;
    ctx.status = status;
  } else {
    ctx.status = status;
    ctx.type = 'application/json';
    ctx.body = body instanceof RawJson ? body.text : JSON.stringify(body);
  }
}
