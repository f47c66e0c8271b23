import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { openApiDocument } from '../../src/api/http/openapi.ts';
import { routes } from '../../src/api/routes.ts';
import { problemCodes } from '../../src/domain/shared/problem-codes.ts';

interface Media {
  readonly schema?: Schema;
}

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, { description?: string; content?: Readonly<Record<string, Media>> }>>;
}

interface Schema {
  readonly [key: string]: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

const document = JSON.parse(JSON.stringify(openApiDocument(routes, '/'))) as {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => [`${method} ${path}`, operation] as const),
);

/** Numbers whose name says what is counted, and the words of the house. */
const numberWithUnit =
  /^(id|version|revision|limit|position|percentage|percent|quorum|attempts|approvals|amount|score|size|seq|done|first|target|target_.*|.*_left|.*_ended|.*_checked|.*_elapsed|.*_size|.*_cap|count|total|.*_(id|seconds|minutes|hours|days|ms|bytes|count|percentage|percent|total|index|sequence|version|points|score))$|^(count|total|max|min)_/;

/** A name of whole words says what it is. A number without a unit, and a name of one or two letters, do not. */
function needsDescription(name: string, schema: Schema): boolean {
  if (schema.description !== undefined || schema['$ref'] !== undefined) return false;
  const isNumber = schema['type'] === 'integer' || schema['type'] === 'number';
  return (isNumber && !numberWithUnit.test(name)) || (name.length < 3 && name !== 'id' && !['ip', 'to', 'at'].includes(name));
}

describe('OpenAPI document', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document));
    expect(result).toMatchObject({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it('has every route under each of its paths, with its permission and gate', () => {
    const count = routes.reduce((sum, { aliases = [] }) => sum + 1 + aliases.length, 0);
    expect(operations).toHaveLength(count);
    for (const [, operation] of operations) {
      expect(operation).toMatchObject({ 'x-permission': expect.any(String), 'x-gate': expect.any(String) });
    }
  });

  it('gives every operation a summary, a tag and an id of its own', () => {
    const bad = operations.filter(([, { summary = '', tags = [] }]) => summary.length < 5 || tags.length === 0);
    expect(bad.map(([name]) => name)).toEqual([]);
    const ids = operations.map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => id === undefined || !/^[a-z][A-Za-z0-9]+$/.test(id))).toEqual([]);
  });

  it('describes every refusal as application/problem+json, by codes that exist', () => {
    for (const [name, { responses }] of operations) {
      for (const [status, { content = {}, description = '' }] of Object.entries(responses)) {
        if (Number(status) < 400) continue;
        // OFREP prescribes bodies of its own for a bad context and an unknown flag.
        const ofrep = name.includes('/ofrep/') && (status === '400' || status === '404');
        const types = Object.keys(content);
        expect({ name, status, types }).toEqual({ name, status, types: ofrep ? expect.anything() : ['application/problem+json'] });
        const codes = [...description.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
        expect(codes.filter((code) => !Object.hasOwn(problemCodes, code))).toEqual([]);
      }
    }
  });

  it('says what every property is, by its name or a description', () => {
    const silent = new Set<string>();
    const visit = (place: string, node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      const { properties } = node as Schema;
      for (const [name, property] of Object.entries(properties ?? {})) {
        if (needsDescription(name, property)) silent.add(`${place}.${name}`);
      }
      for (const [key, value] of Object.entries(node)) {
        if (key !== 'example' && key !== 'examples') visit(key === 'properties' || /^(allOf|anyOf|items|\d+)$/.test(key) ? place : `${place}/${key}`, value);
      }
    };
    visit('', document);
    expect([...silent]).toEqual([]);
  });

  it('is the committed one', async () => {
    const committed: unknown = JSON.parse(await readFile(new URL('../../openapi.json', import.meta.url), 'utf8'));
    expect(committed).toEqual(document);
  });
});
