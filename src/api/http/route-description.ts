import type { z } from 'zod';
import type { Permission } from '../../domain/identity/permissions.ts';
import type { EnvironmentName } from '../../domain/shared/environment.ts';
import type { ProblemCode } from '../../domain/shared/problem-codes.ts';
import type { ReadScope } from '../../platform/database/read.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

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
  /** Adds what is slow to make, such as the hash of a password, or has to be looked up, before a request for approval is opened. */
  readonly complete?: (
    deps: Pick<SignInDeps, 'db' | 'keyring' | 'passwords'>,
    payload: unknown,
    input: Input<Params, Query, Body>,
    scope: ReadScope,
  ) => Promise<unknown>;
}

/**
 * `mfa`: a second factor. `own-factor`: the same, for what people change of their own way in, where there is one that they could
 * prove: an app, or an address that codes are mailed to.
 */
export type Gate<Params, Query, Body> = 'none' | 'mfa' | 'own-factor' | PolicyGate<Params, Query, Body>;

/** What a response may look like: a JSON schema, nothing at all, or a stream of another media type. */
export type ResponseSpec =
  | z.ZodType
  | null
  | { readonly contentTypes: readonly string[]; readonly description: string };

/** What a route says of itself, without what it does. */
export interface RouteDescription<Params, Query, Body> {
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
  /**
   * Somebody may have the permission for the very thing that the request is about, by a campaign permission or by owning it: the
   * handler judges who lacks it.
   */
  readonly isJudgedByResource?: boolean;
  readonly gate: Gate<Params, Query, Body>;
  /** Members of the body that the factor proof does not name, because a digest of them would be stored: the password. */
  readonly unproven?: readonly (keyof Body & string)[];
  /** The action whose gate the handler resolves itself, after the second factor that `gate` asks for (T-16). */
  readonly resolvesGateOf?: string;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** Media types of a body that is not JSON; the handler reads it from `upload`. */
  readonly uploads?: readonly string[];
  /** Status → schema. The first one is the status of a handler's plain return value. */
  readonly responses: Readonly<Record<number, ResponseSpec>>;
  readonly problems?: readonly ProblemCode[];
  /** False where a key would be of no use; every other route that changes something takes an Idempotency-Key. */
  readonly idempotency?: boolean;
  /** The request must carry If-Match (428 without). */
  readonly requiresIfMatch?: boolean;
  /** False keeps a hot path out of the per-caller rate limit. */
  readonly rateLimit?: boolean;
}

/**
 * What decides about a request, for whoever lists it: a gate of a fixed kind, or the gate policy of an action, which the handler
 * may resolve itself (T-16).
 */
export function describeGate({ gate, resolvesGateOf }: Pick<DescribedRoute, 'gate' | 'resolvesGateOf'>) {
  if (typeof gate !== 'string') return { gate: 'policy', action: gate.action } as const;
  return resolvesGateOf === undefined ? ({ gate, action: null } as const) : ({ gate: 'policy', action: resolvesGateOf } as const);
}

/**
 * Whether a route takes an Idempotency-Key. One without an account does not: its callers could not be told apart, and would
 * get each other's answers.
 */
export function takesIdempotencyKey({ method, permission, idempotency, uploads }: DescribedRoute): boolean {
  return method !== 'get' && permission !== 'public' && idempotency !== false && uploads === undefined;
}

/** The description of a route whose types have been checked. */
export type DescribedRoute = RouteDescription<Record<string, string>, Record<string, unknown>, unknown>;
