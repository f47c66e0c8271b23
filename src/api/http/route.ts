import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { Permission } from '../../domain/identity/permissions.ts';
import type { ProblemCode } from '../../domain/shared/problem-codes.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import type { CompiledQuery } from 'kysely';
import type { ApiDeps } from '../deps.ts';
import type { RequestInfo } from './request-info.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** How strongly an action is guarded (S2-68): nothing, a fresh factor proof, or people's approval. */
export type GateLevel = 'none' | 'mfa' | 'approval';

/** What a handler may look at. */
export interface Input<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

/**
 * An action whose gate is data: the policy table says per environment whether it needs nothing, a factor proof or an
 * approval. Where it says approval, the route answers 202 with the request it opened and the handler does not run.
 */
export interface PolicyGate<Params, Query, Body> {
  readonly action: string;
  readonly environment?: (input: Input<Params, Query, Body>) => EnvironmentName;
  /** The payload that approvers see and that is executed, in the action's own schema. */
  readonly payload: (input: Input<Params, Query, Body>, context: { ifMatch: string | null }) => unknown;
}

export type Gate<Params, Query, Body> = 'none' | 'mfa' | PolicyGate<Params, Query, Body>;

/** What a response may look like: a JSON schema, nothing at all, or a stream of another media type. */
export type ResponseSpec =
  | z.ZodType
  | null
  | { readonly contentTypes: readonly string[]; readonly description: string };

/** An answer with another status than the first declared one, or with headers. */
export class Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>>) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** Answers with a status and headers of its own. A body that is a stream is sent as it is. */
export function reply(status: number, body?: unknown, headers: Record<string, string> = {}): Reply {
  return new Reply(status, body ?? null, headers);
}

/**
 * An answer that a handler keeps and gives to many: it is checked against its schema and written as JSON only the first
 * time. It must not be changed afterwards, and must not take an Idempotency-Key.
 */
export class KeptReply extends Reply {
  /** The checked answer with its body as text, once it was given. */
  presented: Reply | undefined;
}

/** A body that is JSON already. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A checked factor proof; whoever does the change consumes it in the same transaction (S2-69). */
export interface MfaProof {
  readonly challenge_id: string;
  /** Called by a handler that hands the proof to a workflow, whose activity then consumes it. */
  delegate(): string;
}

interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

/** Everything a handler gets. `unitOfWork` and `read` act as the caller, inside the caller's tenant. */
export interface HandlerContext<Params, Query, Body> extends Input<Params, Query, Body> {
  readonly deps: ApiDeps;
  readonly request: RequestInfo;
  readonly actor: Actor;
  /** The gate in force for this call. */
  readonly gate: GateLevel;
  readonly mfa: MfaProof | null;
  /** One short transaction; consumes the factor proof of a gated route first. */
  unitOfWork<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  read<Row>(query: Compilable<Row>): Promise<Row[]>;
  readonly scope: ReadScope;
  /** The body of a route with `uploads`, unread; empty for others. */
  readonly upload: Readable;
  /** The request as it was sent, for signatures over it; the text is empty for routes with `uploads`. */
  readonly raw: { readonly body: string; readonly headers: IncomingHttpHeaders };
}

/** One endpoint, whole: nothing about a route is written anywhere else. */
export interface RouteSpec<Params, Query, Body> {
  /** Unique; names the operation in OpenAPI, the audit, the metrics and the typed client. */
  readonly operationId: string;
  readonly method: Method;
  /** As the requirements spell it, parameters as `:name`. */
  readonly path: string;
  /** Further spellings of the same endpoint. */
  readonly aliases?: readonly string[];
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** `public`: anyone; `authenticated`: any signed-in person, about himself. */
  readonly permission: Permission | 'authenticated' | 'public';
  readonly gate: Gate<Params, Query, Body>;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** Media types of a body that is not JSON; the handler reads it from `upload`. */
  readonly uploads?: readonly string[];
  /** Status → schema. The first one is the status of a handler's plain return value. */
  readonly responses: Readonly<Record<number, ResponseSpec>>;
  readonly problems?: readonly ProblemCode[];
  /** False where a repetition is harmless or the answer is a secret; POST routes accept an Idempotency-Key otherwise. */
  readonly idempotency?: boolean;
  /** The request must carry If-Match (428 without). */
  readonly requiresIfMatch?: boolean;
  /** False keeps a hot path out of the per-caller rate limit. */
  readonly rateLimit?: boolean;
  readonly handler: (context: HandlerContext<Params, Query, Body>) => Promise<unknown>;
}

/** A route whose types have been checked; lists of routes hold these. */
export type Route = RouteSpec<Record<string, string>, Record<string, unknown>, unknown>;

/**
 * Declares an endpoint. The types of params, query and body flow from the schemas into gate and handler.
 *
 * @example see `src/api/identity/tenant.routes.ts`
 */
export function route<Params = Record<never, never>, Query = Record<never, never>, Body = undefined>(
  spec: RouteSpec<Params, Query, Body>,
): Route {
  // The three type parameters are only known here; from now on the route is run by one generic function that feeds
  // handler and gate what their own schemas have parsed.
  return spec as unknown as Route;
}

/** A streamed answer's body. */
export type StreamBody = Readable;
