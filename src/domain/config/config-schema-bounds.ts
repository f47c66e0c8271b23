import { pointerToken } from '../shared/json-pointer.ts';
import type { JsonObject, JsonValue } from '../shared/canonical.ts';

/** What is wrong at a place in a schema. */
export interface SchemaIssue {
  /** JSON pointer from the root of the schema. */
  readonly pointer: string;
  readonly detail: string;
}

/** A pattern of a schema, with its place. */
export interface SchemaPattern {
  readonly pointer: string;
  readonly source: string;
}

const maxBytes = 256 * 1024;
const maxDepth = 32;
const maxMembers = 5_000;
const maxPatterns = 500;
/** Keywords whose members are names that people choose, each with a schema. */
const mapsOfSchemas = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
/** Keywords whose values are data. */
const dataKeywords = new Set(['const', 'enum', 'default', 'examples']);

/**
 * Looks at a schema before it is compiled: the cost of compiling and checking grows with what is bounded here.
 *
 * @returns what is beyond a bound (at most one issue for each), and all its patterns.
 */
export function inspectSchema(schema: JsonObject): { issues: SchemaIssue[]; patterns: SchemaPattern[] } {
  const issues: SchemaIssue[] = [];
  const patterns: SchemaPattern[] = [];
  let members = 0;

  const look = (value: JsonValue, pointer: string, depth: number, kind: 'schema' | 'map' | 'data'): void => {
    if (typeof value !== 'object' || value === null || members > maxMembers) return;
    if (depth > maxDepth) {
      if (issues.length === 0) issues.push({ pointer, detail: `is nested more than ${maxDepth} levels deep` });
      return;
    }
    for (const [name, inner] of Object.entries(value)) {
      members += 1;
      const at = `${pointer}/${pointerToken(name)}`;
      const isKeyword = kind === 'schema' && !Array.isArray(value);
      if (isKeyword) lookAtKeyword(name, inner, at);
      look(inner, at, depth + 1, isKeyword ? kindBelow(name) : kind === 'map' ? 'schema' : kind);
    }
  };

  const lookAtKeyword = (name: string, value: JsonValue, pointer: string): void => {
    if (name === 'pattern' && typeof value === 'string') patterns.push({ pointer, source: value });
    if (name === 'patternProperties' && typeof value === 'object' && value !== null) {
      for (const source of Object.keys(value)) patterns.push({ pointer: `${pointer}/${pointerToken(source)}`, source });
    }
    if ((name === '$ref' || name === '$dynamicRef') && typeof value === 'string' && !value.startsWith('#')) {
      issues.push({ pointer, detail: 'must lead to a place in this schema (#…)' });
    }
    if (name === '$async') issues.push({ pointer, detail: 'is not supported' });
  };

  if (JSON.stringify(schema).length > maxBytes) return { issues: [{ pointer: '', detail: `is larger than ${maxBytes} bytes` }], patterns };
  look(schema, '', 1, 'schema');
  if (members > maxMembers) issues.push({ pointer: '', detail: `has more than ${maxMembers} members` });
  if (patterns.length > maxPatterns) issues.push({ pointer: '', detail: `has more than ${maxPatterns} patterns` });
  return { issues, patterns };
}

function kindBelow(keyword: string): 'schema' | 'map' | 'data' {
  if (mapsOfSchemas.has(keyword)) return 'map';
  return dataKeywords.has(keyword) ? 'data' : 'schema';
}
