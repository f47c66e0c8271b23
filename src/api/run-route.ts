import { Readable } from 'node:stream';
import type { Middleware, ParameterizedContext } from 'koa';
import { z } from 'zod';
import type { Actor } from '../domain/actor.ts';
import { payloadDigest } from '../platform/digest.ts';
import { consumeMfaProof } from '../platform/mfa-token.ts';
import { Problem } from '../platform/problem.ts';
import { read } from '../platform/read.ts';
import { unitOfWork } from '../platform/unit-of-work.ts';
import type { ApiDeps } from './deps.ts';
import { claimIdempotencyKey } from './idempotency.ts';
import { authenticate } from './identity/authenticate.ts';
import { requirePermission } from './identity/permission.ts';
import { auditRefusedRequest } from './identity/refusal.ts';
import type { RequestState } from './middleware/request-context.ts';
import { parseInput } from './parse-input.ts';
import { Reply, reply } from './route.ts';
import type { Gate, GateLevel, HandlerContext, Input, MfaProof, Route } from './route.ts';

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
      requirePermission(actor, route);
      const input = parseInput(route, ctx);
      if (route.requiresIfMatch === true && ctx.state.info.ifMatch === null) {
        throw new Problem({ code: 'resource.version-required', detail: 'Send If-Match with the ETag you have read.' });
      }
      const gate = await resolveGate(deps, route, actor, input);
      const mfa = gate === 'none' ? null : await requireMfa(deps, route, actor, input, ctx);
      const answer = () => act({ deps, route, actor, input, gate, mfa, ctx });
      const key = takesIdempotencyKey ? ctx.get('idempotency-key') : '';
      const result = key === '' ? await answer() : await actOnce(deps, route, actor, input, key, answer, ctx);
      send(ctx, route, toReply(result, defaultStatus));
    } catch (error) {
      await auditRefusedRequest(deps, route, actor, ctx, error);
      throw error;
    }
  };
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

async function requireMfa(
  deps: ApiDeps,
  route: Route,
  actor: Actor,
  input: RouteInput,
  ctx: Context,
): Promise<RouteProof> {
  const action = gatedAction(route);
  const digest = payloadDigest({ operation: route.operationId, params: input.params, body: input.body ?? null });
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
    read: (query) => read(deps.db, actor, query),
    unitOfWork: (work) =>
      unitOfWork(deps.db, actor, async (tx) => {
        if (mfa !== null && !mfa.spent) await consumeMfaProof(tx, mfa.challenge_id, actor);
        const result = await work(tx);
        return result;
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

async function actOnce(
  deps: ApiDeps,
  route: Route,
  actor: Actor,
  input: RouteInput,
  key: string,
  answer: () => Promise<unknown>,
  ctx: Context,
): Promise<unknown> {
  const request = { method: ctx.method, path: ctx.path, body: input.body };
  const claim = await claimIdempotencyKey(deps, actor, key, request);
  if (claim.replay !== null) {
    const { status, headers, body } = claim.replay;
    return reply(status, body, { ...headers, 'idempotency-replayed': 'true' });
  }
  try {
    const given = toReply(await answer(), Number(Object.keys(route.responses)[0]));
    const presented = { status: given.status, headers: given.headers, body: present(route, given) };
    await claim.store(presented);
    return given;
  } catch (error) {
    await claim.release().catch(() => undefined);
    throw error;
  }
}

function toReply(result: unknown, defaultStatus: number): Reply {
  return result instanceof Reply ? result : reply(defaultStatus, result);
}

/** Parses the body with its schema: undeclared fields never leave, an undeclared status is our own fault. */
function present(route: Route, { status, body }: Reply): unknown {
  const spec = route.responses[status];
  if (spec === undefined) throw new Error(`Route ${route.operationId} answered undeclared status ${status}.`);
  if (spec === null) return null;
  if (!(spec instanceof z.ZodType)) return body;
  const parsed = spec.safeParse(body);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new Error(`Route ${route.operationId} answered with a body that breaks its schema: ${fields}`);
  }
  return parsed.data;
}

function send(ctx: Context, route: Route, answer: Reply): void {
  for (const [name, value] of Object.entries(answer.headers)) ctx.set(name, value);
  const { ifNoneMatch } = ctx.state.info;
  if (ctx.method === 'GET' && ifNoneMatch !== null && ifNoneMatch === answer.headers['etag']) {
    ctx.status = 304;
    return;
  }
  const body = present(route, answer);
  ctx.status = answer.status;
  if (body instanceof Readable) {
    ctx.body = body;
    return;
  }
  if (body === null || route.responses[answer.status] === null) {
    ctx.body = null;
    ctx.status = answer.status;
    return;
  }
  ctx.type = 'application/json';
  ctx.body = JSON.stringify(body);
}
