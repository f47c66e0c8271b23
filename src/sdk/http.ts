import createClient from 'openapi-fetch';
import type { Client } from 'openapi-fetch';
import type { components, operations, paths } from './openapi.types.ts';
import { problemErrorOf } from './problem-error.ts';

/** An approval request, as the API returns it. */
export type Approval = components['schemas']['Approval'];

/** The generated client: every path and method of `openapi.json`, typed. */
export type Http = Client<paths>;

export function createHttp(baseUrl: string, send: (request: Request) => Promise<Response>): Http {
  return createClient<paths>({ baseUrl, fetch: send });
}

/** What a changing call may carry besides its input. */
export interface ChangeOptions {
  /** Proof of the second factor, as {@link withMfa} hands it in. */
  readonly mfaToken?: string | undefined;
}

/** What a creating or moving call may carry. */
export interface CreateOptions extends ChangeOptions {
  /** Repeats with the same key get the first answer. A fresh one when left out, which covers the client's own repeats. */
  readonly idempotencyKey?: string | undefined;
}

/** What a change of a versioned resource must carry. */
export interface VersionedOptions extends ChangeOptions {
  /** The version that the caller has read; the change is refused when another one is current. */
  readonly version: number;
}

/** Headers of a change. */
export function changeHeaders({ mfaToken }: ChangeOptions): { 'X-MFA-Token'?: string } {
  return mfaToken === undefined ? {} : { 'X-MFA-Token': mfaToken };
}

/** Headers of a creating call. */
export function createHeaders(options: CreateOptions): { 'X-MFA-Token'?: string; 'Idempotency-Key': string } {
  return { ...changeHeaders(options), 'Idempotency-Key': options.idempotencyKey ?? crypto.randomUUID() };
}

/** Headers of a change of a versioned resource. */
export function versionHeaders(options: VersionedOptions): { 'X-MFA-Token'?: string; 'If-Match': string } {
  return { ...changeHeaders(options), 'If-Match': `"${options.version}"` };
}

type Settled = { data?: unknown; error?: unknown; response: Response };
type DataOf<Result extends Settled> = Result extends { error?: never; data: infer Data } ? Data : never;

/**
 * The body of a success.
 *
 * @throws ProblemError for everything else that the server answers; what `fetch` throws when there is no answer
 */
export async function dataOf<Result extends Settled>(call: Promise<Result>): Promise<DataOf<Result>> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemErrorOf(response, error);
  return data as DataOf<Result>;
}

/**
 * The body of a success that is read as it arrives.
 *
 * @throws ProblemError like {@link dataOf}
 */
export async function streamOf(call: Promise<Settled>): Promise<ReadableStream<Uint8Array>> {
  const { error, response } = await call;
  if (!response.ok || response.body === null) throw problemErrorOf(response, error);
  return response.body;
}

/** Query of an operation. */
export type QueryOf<Id extends keyof operations> = NonNullable<operations[Id]['parameters']['query']>;

/** JSON body of an operation's request. */
export type BodyOf<Id extends keyof operations> = operations[Id] extends {
  requestBody: { content: { 'application/json': infer Body } };
}
  ? Body
  : never;

/** What became of a change whose gate is data: made at once, or waiting for people. */
export type Outcome<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'approval_requested'; readonly approval: Approval };

/**
 * The outcome of a call that answers 202 with the approval request it has opened, and another success otherwise.
 *
 * @throws ProblemError like {@link dataOf}
 */
export async function outcomeOf<Result extends Settled>(
  call: Promise<Result>,
): Promise<Outcome<Exclude<DataOf<Result>, Approval>>> {
  const settled = await call;
  const data = await dataOf(Promise.resolve(settled));
  if (settled.response.status === 202) return { kind: 'approval_requested', approval: data as Approval };
  return { kind: 'done', result: data as Exclude<DataOf<Result>, Approval> };
}
