import type { z } from 'zod';

/** Values of a closed list that are named in an answer. */
const namedValues = 20;

/** What a text, a number or a list is, by the names of zod. */
const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
  nan: 'a number',
};

const formats: Readonly<Record<string, string>> = {
  email: 'must be an e-mail address',
  url: 'must be a web address',
  uuid: 'must be a UUID',
  datetime: 'must be a time with its zone, such as 2026-01-31T09:00:00Z',
  date: 'must be a day, such as 2026-01-31',
  time: 'must be a time of day, such as 09:00:00',
  regex: 'does not have the right form',
};

/**
 * What is wrong with a value, in words that follow the name of its field: `must be a whole number`. For values whose schema has
 * no words of its own.
 */
export function wordsOf(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      return `must be ${kinds[issue.expected] ?? `of type ${issue.expected}`}`;
    case 'too_small':
      return bound(issue.origin, Number(issue.minimum), issue.inclusive === false ? 'more than' : 'at least');
    case 'too_big':
      return bound(issue.origin, Number(issue.maximum), issue.inclusive === false ? 'less than' : 'at most');
    case 'invalid_format':
      return formats[issue.format] ?? `must be a valid ${issue.format}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_value':
      if (issue.input === undefined) return 'is missing';
      return oneOf(issue.values);
    case 'invalid_union':
      return 'has none of the accepted forms';
    case 'invalid_key':
    case 'invalid_element':
      return 'has an entry that is not accepted';
    default:
      return 'is not accepted';
  }
}

function bound(origin: string, limit: number, relation: string): string {
  if (origin === 'string') {
    return limit === 1 && relation === 'at least' ? 'must not be empty' : `must have ${relation} ${limit} characters`;
  }
  if (origin === 'array' || origin === 'set' || origin === 'map') return `must have ${relation} ${limit} entries`;
  return `must be ${relation} ${limit}`;
}

function oneOf(values: readonly unknown[]): string {
  if (values.length === 1) return `must be ${String(values[0])}`;
  const named = values.slice(0, namedValues).map(String).join(', ');
  return `must be one of ${named}${values.length > namedValues ? ', …' : ''}`;
}
