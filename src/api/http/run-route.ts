import { Readable } from 'node:stream';
import type { Middleware, ParameterizedContext } from 'koa';
import type { CompiledQuery } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import { consumeMfaProof, countRefusedUse } from '../../platform/security/mfa-token.ts';
import { Problem } from '../../platform/problem.ts';
import { read } from '../../platform/database/read.ts';
import { isLockTimeout } from '../../platform/database/lock-timeout.ts';
import { rehearsal } from '../../platform/database/rehearsal.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { ApiDeps } from '../deps.ts';
import { commandKey } from '../../services/commands/command.repository.ts';
import { canProveFactor, factorOwner } from '../../services/identity/sign-in/second-factor.service.ts';
import { authenticate } from './authenticate.ts';
import { assertMayTry, assertPermission, assertStillAllowed } from './authorize.ts';
import { auditRefusedRequest } from './audit-refused-request.ts';
import { outcomeUnknown } from './database-problem.ts';
import { mediaType } from './media-type.ts';
import { defaultLocation } from './default-location.ts';
import { toProblem } from './problem-details.ts';
import { RequestCommand } from './request-command.ts';
import type { RequestState } from './request-context.ts';
import { parseInput } from './parse-input.ts';
import { assertRepeats, queryOfShown, shownResource, splitBody } from './replacement.ts';
import type { ShownResource } from './replacement.ts';
import { present, send } from './present-answer.ts';
import { reply } from './route.ts';
import { takesIdempotencyKey } from './route-description.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import { spentProof, verifyProof } from './factor-proof.ts';
import type { RouteInput, RouteProof } from './factor-proof.ts';
import type { HandlerContext, HttpResponse, Route } from './route.ts';
import type { PolicyGate } from './route-description.ts';

type Context = ParameterizedContext<RequestState>;

/**
 * Runs one route: authenticate, check the permission, validate, pass the gate, act once, present.
 *
 * @param routes all routes, by which a route knows where what it makes or replaces is shown.
 */
export function runRoute(route: Route, deps: ApiDeps, routes: readonly Route[]): Middleware<RequestState> {
  const [defaultStatus] = Object.keys(route.responses).map(Number);
  if (defaultStatus === undefined) throw new Error(`Route ${route.operationId} declares no response.`);
  const locationOf = defaultLocation(route, routes);
  const shown = shownResource(route, routes);
  return async (ctx) => {
    ctx.state.routePath = route.path;
    const actor = await authenticate(deps, route, ctx);
    try {
      assertPermission(actor, route);
      await assertMayTry(deps.db, actor, route);
      const key = givenKey(route, ctx);
      assertMediaType(route, ctx);
      const repeated = shown === undefined ? [] : takeOutRepeated(ctx, shown);
      const input = parseInput(route, ctx);
      if (route.requiresIfMatch === true && ctx.state.info.ifMatch === null) {
        throw new Problem({ code: 'resource.version-required', detail: 'Send If-Match with the ETag you have read.' });
      }
      const request = { deps, route, actor, input, key, ctx, defaultStatus };
      if (shown !== undefined && repeated.length > 0) assertRepeats(repeated, await show(request, shown), ctx.state.info.ifMatch);
      const answer = await answerOnce(request).catch((error: unknown) => {
        if (shown === undefined || toProblem(error).code !== 'resource.unchanged') throw error;
        return show(request, shown);
      });
      const location = answer.headers['location'] ?? locationOf(input.params, answer);
      send(ctx, location === undefined ? answer : reply(answer.status, answer.body, { ...answer.headers, location }));
    } catch (error) {
      await auditRefusedRequest(deps, route, actor, ctx, error);
      throw error;
    }
  };
}

/** What GET shows may be sent back (U-22): its read-only members are compared with the resource and otherwise let be. */
function takeOutRepeated(ctx: Context, shown: ShownResource): [string, unknown][] {
  const { body, repeated } = splitBody(ctx.request.body, shown);
  ctx.request.body = body;
  return repeated;
}

/** The resource that a request replaces, as GET shows it to its caller. */
async function show(request: Request, { route }: ShownResource): Promise<HttpResponse> {
  assertPermission(request.actor, route);
  const { params, body } = request.input;
  const input = { params, query: queryOfShown(route, body), body: undefined };
  return answerOnce({ ...request, route, input, key: null, defaultStatus: 200 });
}

interface Request {
  readonly deps: ApiDeps;
  readonly route: Route;
  readonly actor: Actor;
  readonly input: RouteInput;
  /** The Idempotency-Key. */
  readonly key: string | null;
  readonly ctx: Context;
  readonly defaultStatus: number;
}

/** Acts for the first request with a key; its repetitions get the same answer, without another factor proof. */
async function answerOnce(request: Request): Promise<HttpResponse> {
  const { deps, route, actor, input, key, ctx, defaultStatus } = request;
  const { ifMatch } = ctx.state.info;
  const { params, query } = input;
  let mfa: RouteProof | null = null;
  const command = new RequestCommand({
    deps,
    actor,
    key: () => commandKey(actor, key, { operation: route.operationId, params, query, ifMatch, body: ctx.request.body }),
    isRepeatable: key !== null,
    begin: async (tx) => {
      if (mfa !== null && !mfa.spent) await consumeMfaProof(tx, mfa.challenge_id, actor);
    },
    present: (result) => present(route, result, defaultStatus),
    onLostResult: (error) => ctx.state.log.error({ err: error, request_id: ctx.state.info.id }, 'a result could not be stored'),
  });
  const known = await command.findAnswer();
  if (known !== undefined) {
    if (known.body !== null) await assertStillAllowed(deps.db, actor, route, params);
    return replayed(known);
  }
  // What a workflow has done for a route whose gate is data was the opening of a request, whatever the gate is now.
  const gate =
    command.isReplayed && typeof route.gate !== 'string' ? 'approval' : await resolveGate(request);
  // Who executes a request asks for the permission again, which a membership does not give.
  if (gate === 'approval' && !command.isReplayed) assertPermission(actor, { permission: route.permission });
  if (gate !== 'none') {
    if (command.isReplayed) {
      mfa = spentProof();
    } else {
      // Nobody is asked for a second factor for what is refused anyway (T-14). A service token has none to give.
      if (actor.kind === 'user' && ctx.get('x-mfa-token') === '') await rehearse(request, gate).catch(ignoreLocked);
      mfa = await verifyProof(deps, route, actor, input, ctx);
    }
  }
  try {
    const result = await act({ ...request, gate, mfa, command });
    const answer = command.answer ?? present(route, result, defaultStatus);
    return command.isReplayed ? replayed(answer) : answer;
  } catch (error) {
    const { status, code } = toProblem(error);
    if (command.isDone) throw status >= 500 ? outcomeUnknown(error) : error;
    // Where another request with the key is under way, this one has refused nothing.
    if (mfa !== null && status < 500 && code !== 'idempotency.in-progress') await countRefusal(request, mfa);
    throw error;
  }
}

/** The refusal stands even when it cannot be counted. */
async function countRefusal({ deps, actor, ctx }: Request, { challenge_id }: RouteProof): Promise<void> {
  try {
    await unitOfWork(deps.db, actor, (tx) => countRefusedUse(tx, challenge_id, actor));
  } catch (error) {
    ctx.state.log.error({ err: error, request_id: ctx.state.info.id }, 'a refused use of a factor proof could not be counted');
  }
}

function replayed({ status, body, headers }: HttpResponse): HttpResponse {
  return reply(status, body, { ...headers, 'idempotency-replayed': 'true' });
}

/** @throws Problem `idempotency.not-offered` (400) where a key would be of no effect, so that no caller relies on it. */
function givenKey(route: Route, ctx: Context): string | null {
  const key = ctx.get('idempotency-key');
  if (key === '' || route.method === 'get') return null;
  if (takesIdempotencyKey(route)) return key;
  throw new Problem({
    code: 'idempotency.not-offered',
    detail: 'This operation takes no Idempotency-Key; nothing was changed. Send it without.',
  });
}

/** The app lets the media types of all uploads through; here each route takes its own. */
function assertMediaType({ uploads, body }: Route, ctx: Context): void {
  const type = mediaType(ctx.request);
  const takesJson = body === undefined || type === '' || type === 'application/json';
  if (uploads === undefined ? takesJson : uploads.includes(type)) return;
  const expected = (uploads ?? ['application/json']).join(' or ');
  throw new Problem({ code: 'request.unsupported-media-type', detail: `Send a body of type ${expected}.` });
}

async function resolveGate({ deps, route: { gate }, actor, input, ctx }: Request): Promise<GateLevel> {
  if (gate === 'own-factor') return (await canProveFactor(deps, factorOwner(actor))) ? 'mfa' : 'none';
  if (typeof gate === 'string') return gate;
  const payload = () => gate.payload(input, { ifMatch: ctx.state.info.ifMatch });
  return deps.approvals.resolveGate(actor, gate.action, gate.environment?.(input) ?? null, payload);
}

/** What somebody else has locked decides nothing yet: the request itself waits for it. */
function ignoreLocked(error: unknown): void {
  if (!isLockTimeout(error)) throw error;
}

/** Ends the rehearsal of a handler that has got as far as its change. */
class RehearsalOver extends Error {
  override readonly name = 'RehearsalOver';
}

/**
 * Tries a request whose caller has not proved a second factor yet, and keeps nothing: the change is rolled back, a workflow
 * is sent nothing.
 *
 * @throws whatever the request would be refused with.
 */
async function rehearse(request: Request, gate: GateLevel): Promise<void> {
  const { deps, route, actor, input } = request;
  const { gate: declared } = route;
  if (gate === 'approval' && typeof declared !== 'string') {
    const payload = await gatedPayload(declared, request);
    return deps.approvals.rehearse(actor, declared.action, payload);
  }
  const over = () => Promise.reject(new RehearsalOver());
  const context: HandlerContext<Record<string, string>, Record<string, unknown>, unknown> = {
    ...input,
    ...contextOf(request, gate),
    mfa: spentProof(),
    unitOfWork: (work) => rehearsal(deps.db, actor, work),
    change: async (work) => {
      await rehearsal(deps.db, actor, work);
      return over();
    },
    throughWorkflow: over,
    rehearse: async (work) => {
      await rehearsal(deps.db, actor, work);
    },
    isReplayed: false,
    isRehearsal: true,
  };
  try {
    await route.handler(context);
  } catch (error) {
    if (!(error instanceof RehearsalOver)) throw error;
  }
}

/** What approvers see and what is executed. */
async function gatedPayload(
  gate: PolicyGate<Record<string, string>, Record<string, unknown>, unknown>,
  { deps, actor, input, ctx }: Request,
): Promise<unknown> {
  const payload = gate.payload(input, { ifMatch: ctx.state.info.ifMatch });
  return gate.complete === undefined ? payload : gate.complete(deps, payload, input, actor);
}

interface Call extends Request {
  readonly gate: GateLevel;
  readonly mfa: RouteProof | null;
  readonly command: RequestCommand;
}

async function act(call: Call): Promise<unknown> {
  const { deps, route, actor, input, gate, mfa, command } = call;
  const { gate: declared } = route;
  if (gate === 'approval' && typeof declared !== 'string' && mfa !== null) {
    const request = {
      actor,
      action: declared.action,
      environment: declared.environment?.(input) ?? null,
      payload: command.isReplayed ? null : await gatedPayload(declared, call),
      mfa,
    };
    return reply(202, await command.throughWorkflow((given) => deps.approvals.open(request, given), deps.approvals.viewOf));
  }
  const context: HandlerContext<Record<string, string>, Record<string, unknown>, unknown> = {
    ...input,
    ...contextOf(call, gate),
    mfa,
    unitOfWork: (work) => unitOfWork(deps.db, actor, work),
    rehearse: () => Promise.resolve(),
    change: async (work) => {
      const answer = await command.change(work);
      mfa?.delegate();
      return answer;
    },
    throughWorkflow: (sending, resultOfStored) => command.throughWorkflow(sending, resultOfStored),
    isReplayed: command.isReplayed,
    isRehearsal: false,
  };
  const result = await route.handler(context);
  if (mfa !== null && !mfa.spent && !command.isReplayed) {
    // A gated handler that never made a change would leave its proof usable a second time.
    throw new Error(`Route ${route.operationId} did not consume its factor proof.`);
  }
  if (command.answer !== undefined && result !== command.answer) {
    throw new Error(`Route ${route.operationId} answers something else than what it has stored.`);
  }
  return result;
}

/** What a handler gets whether its request is tried or carried out. */
function contextOf({ deps, route, actor, ctx }: Request, gate: GateLevel) {
  return {
    deps,
    request: ctx.state.info,
    actor,
    gate,
    scope: actor,
    upload: route.uploads === undefined ? Readable.from([]) : ctx.req,
    raw: { method: ctx.method, body: ctx.request.rawBody ?? '', headers: ctx.req.headers },
    read: <Row>(query: { compile(): CompiledQuery<Row> }) => read(deps.db, actor, query),
  };
}
