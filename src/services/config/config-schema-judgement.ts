import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import { canonicalJson } from '../../domain/shared/canonical.ts';
import type { JsonObject, JsonValue } from '../../domain/shared/canonical.ts';
import { inspectSchema } from '../../domain/config/config-schema-bounds.ts';
import type { SchemaIssue } from '../../domain/config/config-schema-bounds.ts';
import { PatternRefusedError, linearPattern } from '../../platform/linear-pattern.ts';

/** A document with the schema that it is to obey. */
export interface SchemaQuestion {
  readonly schema: JsonObject;
  readonly document: JsonValue;
}

/** What became of a question; no value of the document is in it. */
export type Judgement =
  | { readonly kind: 'valid'; readonly secrets: readonly string[] }
  | { readonly kind: 'schema'; readonly issues: readonly SchemaIssue[] }
  | { readonly kind: 'document'; readonly issues: readonly SchemaIssue[] };

const maxIssues = 20;
const maxPointerLength = 1_000;
const keptSchemas = 50;

interface CompiledSchema {
  readonly validate: ValidateFunction;
  /** The places at which the keywords for secrets were met since it was emptied. */
  readonly secrets: Set<string>;
}

const compiled = new LRUCache<string, CompiledSchema>({ max: keptSchemas });

/**
 * Checks a document against its JSON Schema (draft 2020-12) and finds its secrets: the values at places that the schema
 * marks with `x-secret: true` or `writeOnly: true`, wherever `$ref` or `allOf` lead.
 *
 * It takes as much time and memory as the two want, so it runs in the process of a guest only.
 */
export function judge({ schema, document }: SchemaQuestion): Judgement {
  const refused = patternIssues(schema);
  if (refused.length > 0) return { kind: 'schema', issues: refused.slice(0, maxIssues) };
  let found: CompiledSchema;
  try {
    found = compile(schema);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // Errors of Ajv explain what is wrong with the schema.
    return { kind: 'schema', issues: [{ pointer: '', detail: error.message.slice(0, 300) }] };
  }
  const { validate, secrets } = found;
  secrets.clear();
  if (validate(document)) return { kind: 'valid', secrets: [...secrets] };
  return { kind: 'document', issues: (validate.errors ?? []).slice(0, maxIssues).map(issueOf) };
}

/** The patterns of a schema that are not taken, with their places. */
export function patternIssues(schema: JsonObject): SchemaIssue[] {
  return inspectSchema(schema).patterns.flatMap(({ pointer, source }) => {
    try {
      linearPattern(source);
      return [];
    } catch (error) {
      if (error instanceof PatternRefusedError) return [{ pointer: pointer.slice(0, maxPointerLength), detail: error.message }];
      throw error;
    }
  });
}

function compile(schema: JsonObject): CompiledSchema {
  const digest = createHash('sha256').update(canonicalJson(schema)).digest('hex');
  const known = compiled.get(digest);
  if (known !== undefined) return known;
  const secrets = new Set<string>();
  // One for each schema: two of them may have the same `$id`.
  const ajv = new Ajv2020({
    allErrors: true,
    strictTypes: false,
    strictRequired: false,
    // Otherwise the native engine is run on the patterns to compare them with the names of properties.
    allowMatchingProperties: true,
    // Formats are annotations in draft 2020-12.
    validateFormats: false,
    logger: false,
    // Optimizing takes longer than it saves.
    code: { optimize: false, regExp: Object.assign((source: string) => linearPattern(source), { code: 'linearPattern' }) },
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
  const fresh = { validate: ajv.compile(schema), secrets };
  compiled.set(digest, fresh);
  return fresh;
}

/** Names the place and the rule, but not the value, which could be a secret. */
function issueOf({ instancePath, keyword, message, params }: ErrorObject): SchemaIssue {
  const extra: unknown = params['additionalProperty'];
  const name = typeof extra === 'string' ? ` ('${extra.slice(0, 100)}')` : '';
  return { pointer: instancePath.slice(0, maxPointerLength), detail: `${message ?? `breaks the rule ${keyword}`}${name}`.slice(0, 500) };
}
