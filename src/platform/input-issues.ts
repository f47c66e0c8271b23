import type { z } from 'zod';
import { pointerToken } from '../domain/shared/json-pointer.ts';
import { Problem } from './problem.ts';
import type { ProblemIssue } from './problem.ts';

/** Every issue of a failed validation with a JSON pointer below `prefix`; an unknown field is named itself. */
export function inputIssues(prefix: string, error: z.ZodError): ProblemIssue[] {
  return error.issues.flatMap((issue) => {
    const base = prefix + issue.path.map((part) => `/${pointerToken(String(part))}`).join('');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: `${base}/${pointerToken(key)}`,
        detail: 'This field is unknown.',
      }));
    }
    return [{ pointer: base, detail: issue.message }];
  });
}

/** The problem of JSON that breaks its schema (422). */
export function invalidInput(errors: readonly ProblemIssue[]): Problem {
  return new Problem({
    code: 'request.invalid',
    detail: 'Correct the named fields and send the request again.',
    errors,
  });
}
