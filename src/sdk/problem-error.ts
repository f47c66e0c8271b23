import type { components } from './openapi.types.ts';

/** A problem as it is sent (RFC 9457). */
export type ProblemBody = components['schemas']['Problem'];

/** What a problem has besides the members that all problems have, e.g. `payload_digest` of `mfa.required`. */
type ProblemMembers = Readonly<Record<string, unknown>>;

/** A refused request. `code` is stable and is what callers branch on; `detail` is for people. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: string;
  readonly title: string;
  /** HTTP status. */
  readonly status: number;
  readonly detail: string;
  /** Request id, by which support finds the request. */
  readonly instance: string;
  /** Every violated rule of the input, each with a JSON pointer. */
  readonly errors: NonNullable<ProblemBody['errors']>;
  readonly members: ProblemMembers;
  /** Seconds of the Retry-After header. */
  readonly retryAfterSeconds: number | undefined;

  constructor(problem: ProblemBody, retryAfterSeconds?: number) {
    const { type: _type, title, status, detail, instance, code, errors = [], ...members } = problem;
    super([`${code}: ${detail}`, ...errors.map((issue) => `${issue.pointer}: ${issue.detail}`)].join('\n'));
    this.code = code;
    this.title = title;
    this.status = status;
    this.detail = detail;
    this.instance = instance;
    this.errors = errors;
    this.members = members;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** True for a problem with this code. */
export function isProblem(error: unknown, code: string): error is ProblemError {
  return error instanceof ProblemError && error.code === code;
}

/**
 * Makes the error of an answer that is not a success. What is no problem of ours (a proxy's page, an empty body) gets
 * the code `response.unexpected` with the status.
 */
export function problemErrorOf(response: Response, body: unknown): ProblemError {
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterSeconds = Number.isFinite(retryAfter) ? retryAfter : undefined;
  if (isProblemBody(body)) return new ProblemError(body, retryAfterSeconds);
  return new ProblemError(
    {
      type: 'about:blank',
      title: response.statusText,
      status: response.status,
      detail: `The server answered ${response.status} without a problem document.`,
      instance: response.headers.get('x-request-id') ?? '',
      code: 'response.unexpected',
    },
    retryAfterSeconds,
  );
}

function isProblemBody(body: unknown): body is ProblemBody {
  return (
    typeof body === 'object' &&
    body !== null &&
    'code' in body &&
    typeof body.code === 'string' &&
    'detail' in body &&
    typeof body.detail === 'string'
  );
}
