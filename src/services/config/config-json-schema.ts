import { createContext, Script } from 'node:vm';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import { invalidInput } from '../../platform/input-issues.ts';
import { Problem } from '../../platform/problem.ts';
import type { ProblemIssue } from '../../platform/problem.ts';

/**
 * Bounds what a pattern in a schema may cost this process. This is wall-clock time, and on a busy machine an ordinary
 * first check has taken half a second.
 */
const validationTimeoutMs = 2_000;
const maxIssues = 20;

/** The schema of an environment that has none yet: any object, no secrets. */
export const openSchema: JsonObject = { type: 'object' };

/**
 * Checks a document against its JSON Schema (draft 2020-12) and finds its secrets: the values at places that the schema
 * marks with `x-secret: true` or `writeOnly: true`, wherever `$ref` or `allOf` lead.
 *
 * @param pointer of the two in the request, for the problem
 * @returns JSON pointers of the secrets
 * @throws Problem `request.invalid` for a schema that is none, and for every place at which the document breaks it
 */
export function validateConfig(schema: JsonObject, document: JsonValue, pointer: string): Set<string> {
  const secrets = new Set<string>();
  const failures = runBounded(pointer, () => failuresOf(schema, document, secrets));
  if (failures.kind === 'schema') throw invalidInput([{ pointer: `${pointer}/schema`, detail: failures.detail }]);
  if (failures.errors.length === 0) return secrets;
  throw invalidInput(failures.errors.slice(0, maxIssues).map((error) => issueOf(`${pointer}/document`, error)));
}

type Failures = { kind: 'schema'; detail: string } | { kind: 'document'; errors: readonly ErrorObject[] };

function failuresOf(schema: JsonObject, document: JsonValue, secrets: Set<string>): Failures {
  const ajv = new Ajv2020({
    allErrors: true,
    strictTypes: false,
    strictRequired: false,
    // Formats are annotations in draft 2020-12.
    validateFormats: false,
    logger: false,
  });
  ajv.removeKeyword('writeOnly');
  for (const keyword of ['writeOnly', 'x-secret']) {
    ajv.addKeyword({
      keyword,
      schemaType: 'boolean',
      errors: false,
      validate: (isSecret: boolean, _data: unknown, _parent: unknown, place?: { instancePath: string }) => {
        if (isSecret && place !== undefined) secrets.add(place.instancePath);
        return true;
      },
    });
  }
  try {
    const validate = ajv.compile(schema);
    return { kind: 'document', errors: validate(document) ? [] : (validate.errors ?? []) };
  } catch (error) {
    // Errors of Ajv explain what is wrong with the schema; those with a code come from elsewhere, as a timeout does.
    if (error instanceof Error && !('code' in error)) return { kind: 'schema', detail: error.message.slice(0, 300) };
    throw error;
  }
}

const bounded = new Script('work()');

/** Runs synchronous work with a timeout, which a pattern that backtracks without end would exceed. */
function runBounded<Result>(pointer: string, work: () => Result): Result {
  let result: { value: Result } | undefined;
  const context = createContext({
    work: () => {
      result = { value: work() };
    },
  });
  try {
    bounded.runInContext(context, { timeout: validationTimeoutMs });
  } catch (cause) {
    if (!isTimeout(cause)) throw cause;
    throw new Problem({
      code: 'request.invalid',
      detail: 'Correct the named fields and send the request again.',
      errors: [{ pointer: `${pointer}/schema`, detail: 'takes too long to check; simplify its patterns' }],
      cause,
    });
  }
  if (result === undefined) throw new Error('The bounded work gave no result.');
  return result.value;
}

/** The error comes from another realm and is no `Error` of this one. */
function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

/** Names the place and the rule, but not the value, which could be a secret. */
function issueOf(base: string, { instancePath, keyword, message, params }: ErrorObject): ProblemIssue {
  const extra: unknown = params['additionalProperty'];
  const name = typeof extra === 'string' ? ` ('${extra.slice(0, 100)}')` : '';
  return { pointer: `${base}${instancePath}`, detail: `${message ?? `breaks the rule ${keyword}`}${name}` };
}
