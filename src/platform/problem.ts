import { problemCodes } from '../domain/shared/problem-codes.ts';
import type { ProblemCode } from '../domain/shared/problem-codes.ts';

/** One violated rule of the input, at a JSON pointer (RFC 6901) into the request. */
export interface ProblemIssue {
  readonly pointer: string;
  readonly detail: string;
  /** Names the rule for programs that have words of their own for it. */
  readonly code?: string;
}

interface ProblemInit {
  readonly code: ProblemCode;
  /** What the caller can do about it. Never holds a secret, SQL or another tenant's data. */
  readonly detail: string;
  readonly errors?: readonly ProblemIssue[];
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Extension members (RFC 9457 section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error that leaves a handler on purpose; written as `application/problem+json` by one middleware. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly errors: readonly ProblemIssue[];
  readonly retryAfterSeconds: number | undefined;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(init: ProblemInit) {
    super(init.detail, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.status = problemCodes[init.code].status;
    this.errors = init.errors ?? [];
    this.retryAfterSeconds = init.retryAfterSeconds;
    this.members = init.members ?? {};
  }

  /** The body of RFC 9457; `instance` is the request id, by which the logs are searched. */
  toBody(requestId: string): Record<string, unknown> {
    return {
      ...this.members,
      type: `urn:castellan:problem:${this.code}`,
      title: problemCodes[this.code].title,
      status: this.status,
      detail: this.message,
      instance: `urn:uuid:${requestId}`,
      code: this.code,
      ...(this.errors.length === 0 ? {} : { errors: this.errors }),
    };
  }
}

/** A resource that does not exist or belongs to another tenant: the answer is the same, so that ids reveal nothing. */
export function notFound(resource: string): Problem {
  return new Problem({ code: 'resource.not-found', detail: `There is no such ${resource}.` });
}

/** A value that has to be unique and is taken. @param detail a sentence that names the thing that has it. */
export function taken(field: string, detail: string): Problem {
  return new Problem({ code: 'resource.conflict', detail, errors: [{ pointer: `/${field}`, detail: 'is taken already' }] });
}
