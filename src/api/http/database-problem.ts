import { OptimisticLockError } from '@mikro-orm/core';
import { Problem } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';
import { CommitUnknownError } from '../../platform/database/commit-outcome.ts';
import { staleRow } from '../../platform/row-version.ts';
import { fieldWords, subjectOf, withArticle } from './constraint-words.ts';
import type { ConstraintSubject } from './constraint-words.ts';

/** What PostgreSQL says about an error. MikroORM's own classes and the driver's carry it alike, so no class is looked at. */
interface DatabaseError extends Error {
  readonly code: string;
  readonly constraint?: string | undefined;
  readonly table?: string | undefined;
}

/** PostgreSQL's codes (appendix A of its manual). */
const state = {
  uniqueViolation: '23505',
  foreignKeyViolation: '23503',
  restrictViolation: '23001',
  checkViolation: '23514',
  insufficientPrivilege: '42501',
} as const;

/** The problem of what the database or MikroORM refused, or undefined for other errors. */
export function databaseProblem(error: unknown): Problem | undefined {
  // Two changes of one row met without a lock; which version won is not known here.
  if (error instanceof OptimisticLockError) return new Problem({ ...staleRow, cause: error });
  if (isOfUnknownOutcome(error)) return outcomeUnknown(error);
  if (isUnavailable(error)) {
    return new Problem({
      code: 'service.unavailable',
      detail: 'The database is unavailable; nothing was changed. Try again shortly.',
      retryAfterSeconds: 5,
      cause: error,
    });
  }
  return isDatabaseError(error) ? refusalOf(error) : undefined;
}

/**
 * What a caller gets when nothing here can tell whether a change was made. With the same key its outcome is found out later:
 * the answer that it has had, or that it has not been made.
 */
export function outcomeUnknown(cause: unknown): Problem {
  return new Problem({
    code: 'service.outcome-unknown',
    detail:
      'It is not known whether the change was made. Repeat the request with the same Idempotency-Key to learn it; without ' +
      'a key, look before you repeat it.',
    retryAfterSeconds: 5,
    cause,
  });
}

/** Looks for the error itself, too, where a library has wrapped it. */
function isOfUnknownOutcome(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof CommitUnknownError) return true;
  }
  return false;
}

function refusalOf(error: DatabaseError): Problem | undefined {
  const subject = subjectOf(error.table, error.constraint);
  switch (error.code) {
    case state.uniqueViolation:
      return new Problem({
        code: 'resource.conflict',
        detail: takenDetail(subject),
        errors: issueOf(subject, 'is taken already'),
        cause: error,
      });
    case state.foreignKeyViolation:
    case state.restrictViolation:
      // When a row goes that others refer to, the key names their column and not one of the request.
      return error.message.startsWith('insert or update')
        ? new Problem({
            code: 'resource.conflict',
            detail: missingDetail(subject),
            errors: issueOf(subject, 'refers to something that is not there'),
            cause: error,
          })
        : new Problem({
            code: 'resource.conflict',
            detail: subject === null ? 'It is still in use.' : `It is still in use: ${withArticle(subject.thing)} refers to it.`,
            cause: error,
          });
    case state.checkViolation:
      return new Problem({
        code: 'request.invalid',
        detail: 'A value is not allowed.',
        errors: issueOf(subject, 'is not allowed'),
        cause: error,
      });
    case state.insufficientPrivilege:
      // Row-level security; a missing grant is a mistake of ours.
      return error.message.includes('row-level security')
        ? new Problem({ code: 'resource.not-found', detail: 'There is no such resource.', cause: error })
        : undefined;
    default:
      return undefined;
  }
}

function takenDetail(subject: ConstraintSubject | null): string {
  if (subject === null) return 'There is one like this already.';
  const { thing, field } = subject;
  return field === null
    ? `There is ${withArticle(thing)} like this already.`
    : `There is ${withArticle(thing)} with this ${fieldWords(field)} already.`;
}

function missingDetail(subject: ConstraintSubject | null): string {
  if (subject === null || subject.field === null) return 'The request refers to something that is not there.';
  return `There is no such ${fieldWords(subject.field)}.`;
}

function issueOf(subject: ConstraintSubject | null, detail: string): ProblemIssue[] {
  return subject === null || subject.field === null ? [] : [{ pointer: `/${subject.field}`, detail }];
}

function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/** PostgreSQL's classes for a server that cannot be used: connection failures, shutdown, too many connections. */
const awayState = /^(08|57P|53)/;
const awayCode = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND']);

function isUnavailable(error: unknown): boolean {
  if (isDatabaseError(error) && (awayCode.has(error.code) || awayState.test(error.code))) return true;
  return (
    error instanceof Error &&
    /connection terminated|timeout exceeded when trying to connect|not queryable|ended the connection/i.test(error.message)
  );
}
