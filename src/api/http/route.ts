import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { CompiledQuery } from 'kysely';
import type { Actor } from '../../domain/shared/actor.ts';
import type { WorkflowCommand } from '../../domain/shared/workflow-command.ts';
import type { GateLevel } from '../../domain/approval/approval-gate.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { Tx, UnitOfWork } from '../../platform/database/unit-of-work.ts';
import type { MfaProof } from '../../platform/security/mfa-token.ts';
import type { ApiDeps } from '../deps.ts';
import type { RequestInfo } from './request-info.ts';
import type { Input, RouteDescription } from './route-description.ts';

/** An answer with another status than the first declared one, or with headers. */
export class HttpResponse {
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
export function reply(status: number, body?: unknown, headers: Record<string, string> = {}): HttpResponse {
  return new HttpResponse(status, body ?? null, headers);
}

/**
 * An answer that a handler keeps and gives to many: it is checked against its schema and written as JSON only the first
 * time. It must not be changed afterwards, and must not take an Idempotency-Key.
 */
export class CachedResponse extends HttpResponse {
  /** The checked answer with its body as text, once it was given. */
  presented: HttpResponse | undefined;
}

/** A body that is JSON already. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

interface Compilable<Row> {
  compile(): CompiledQuery<Row>;
}

/** Headers of a 304 (RFC 9110 section 15.4.5). */
export type NotModifiedHeaders = Record<'etag' | 'cache-control', string>;

/** Everything a handler gets. Changes and reads are made as the caller, inside the caller's tenant. */
export interface HandlerContext<Params, Query, Body> extends Input<Params, Query, Body> {
  readonly deps: ApiDeps;
  readonly request: RequestInfo;
  readonly actor: Actor;
  /** The gate in force for this call. */
  readonly gate: GateLevel;
  readonly mfa: MfaProof | null;
  /**
   * Makes the change of this request in one short transaction, once for each Idempotency-Key; consumes the factor proof of
   * a gated route first. Returns the answer, which the handler returns in its turn.
   */
  change(work: (tx: Tx) => Promise<unknown>): Promise<HttpResponse>;
  /**
   * Has a workflow make the change of this request, once for each Idempotency-Key. What is checked beforehand is checked in
   * `send`; what is presented, after it, since a repetition gets here with the stored result.
   */
  throughWorkflow<Result>(
    send: (command: WorkflowCommand) => Promise<Result>,
    resultOfStored?: (stored: unknown, commandId: string) => Result | Promise<Result>,
  ): Promise<Result>;
  /**
   * Checks inside a transaction that is rolled back what {@link throughWorkflow} would be refused for. It runs only while the
   * caller has not proved a second factor yet, so that nobody is asked for one in vain.
   */
  rehearse(work: (tx: Tx) => Promise<unknown>): Promise<void>;
  /** The second factor is missing still: the request is only tried, and nothing of it is kept (T-14). */
  readonly isRehearsal: boolean;
  /** A workflow has made the change for another request with the same key: only its result is still to be presented. */
  readonly isReplayed: boolean;
  read<Row>(query: Compilable<Row>): Promise<Row[]>;
  /** A transaction of its own for a read that is itself recorded; what changes something goes through {@link change}. */
  unitOfWork: UnitOfWork;
  readonly scope: ReadScope;
  /** The body of a route with `uploads`, unread; empty for others. */
  readonly upload: Readable;
  /** The request as it was sent, for signatures over it; the text is empty for routes with `uploads`. */
  readonly raw: { readonly method: string; readonly body: string; readonly headers: IncomingHttpHeaders };
}

/** The headers of a 304 to a caller's request; null where there is no answer whose tag could still hold. */
export type NotModified = (
  deps: ApiDeps,
  actor: Pick<Actor, 'kind' | 'tenant_id' | 'environment'>,
) => Promise<NotModifiedHeaders | null>;

/** One endpoint, whole: nothing about a route is written anywhere else. */
export interface RouteSpec<Params, Query, Body> extends RouteDescription<Params, Query, Body> {
  /**
   * Finds the tag of the answer that the handler would give now. With it, applications get their 304 in front of the
   * middlewares (`conditional-get.ts`), so it must read from a cache, and the route must not be rate-limited. What it
   * returns may depend on the input only: it is kept for requests with the same text.
   */
  readonly notModified?: (input: Input<Params, Query, Body>) => NotModified;
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
