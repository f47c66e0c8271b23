import type { z } from 'zod';
import { pointerToken } from '../domain/shared/json-pointer.ts';
import { Problem, notFound } from './problem.ts';
import type { ProblemIssue } from './problem.ts';

/** Every issue of a failed validation with a JSON pointer below `prefix`; an unknown field is named itself. */
export function inputIssues(prefix: string, error: z.ZodError): ProblemIssue[] {
  return error.issues.flatMap((issue) => {
    const base = prefix + issue.path.map((part) => `/${pointerToken(String(part))}`).join('');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: `${base}/${pointerToken(key)}`,
        detail: 'is no field of this request',
      }));
    }
    return [{ pointer: base, detail: issue.message }];
  });
}

/**
 * The problem of a body that refers to something that is not there (422): its address is right, so 404 would mislead.
 *
 * @param pointer where the body does; null where the address of the request does, which is 404.
 * @param thing what it would be, e.g. `role`.
 */
export function unknownReference(pointer: string | null, thing: string): Problem {
  if (pointer === null) return notFound(thing);
  return invalidInput([{ pointer, detail: `There is no such ${thing}.` }]);
}

/**
 * The problem of JSON that breaks its schema (422). Where one rule is violated, its words are the detail: a sentence as it is,
 * anything else after the name of its field.
 */
export function invalidInput(errors: readonly ProblemIssue[]): Problem {
  const [only, ...others] = errors;
  const detail =
    only === undefined || others.length > 0 ? 'Correct the named fields and send the request again.' : sentenceOf(only);
  return new Problem({ code: 'request.invalid', detail, errors });
}

function sentenceOf({ pointer, detail }: ProblemIssue): string {
  if (/^\p{Lu}/u.test(detail)) return detail;
  const field = pointer.split('/').findLast((part) => !/^\d*$/.test(part)) ?? 'body';
  return /[.!?…]$/.test(detail) ? `${field} ${detail}` : `${field} ${detail}.`;
}
