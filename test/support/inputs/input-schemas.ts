import { z } from 'zod';
import { routes } from '../../../src/api/routes.ts';
import { actions } from '../../../src/services/actions/registry.ts';

/** What routes and actions take, each schema with the name of its operation or action. */
export const inputSchemas: readonly (readonly [string, z.ZodType])[] = [
  ...routes.flatMap(({ operationId, params, query, body }) =>
    [params, query, body].flatMap((schema) => (schema === undefined ? [] : [[operationId, schema] as const])),
  ),
  ...actions.map(({ name, payloadSchema }) => [name, payloadSchema] as const),
];

/**
 * The parts of all {@link inputSchemas} that have a property of their definition, by the place where they stand. A schema that
 * stands in several places of one input is found in each.
 */
export function partsOfInputs(property: string, value: string): [string, z.ZodType][] {
  return inputSchemas.flatMap(([name, schema]) => [...partsWith(property, value, schema, name, [])]);
}

function* partsWith(
  property: string,
  value: string,
  schema: z.core.$ZodType,
  place: string,
  around: readonly z.core.$ZodType[],
): Generator<[string, z.ZodType]> {
  if (around.includes(schema)) return;
  const def = schema._zod.def as unknown as Record<string, unknown>;
  if (def[property] === value) yield [place, schema as z.ZodType];
  for (const [name, part] of Object.entries(def)) {
    for (const [key, inner] of schemasOf(part)) {
      yield* partsWith(property, value, inner, `${place}/${key === '' ? name : key}`, [...around, schema]);
    }
  }
}

function schemasOf(part: unknown): [string, z.core.$ZodType][] {
  if (part instanceof z.core.$ZodType) return [['', part]];
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).filter((entry): entry is [string, z.core.$ZodType] => entry[1] instanceof z.core.$ZodType);
}
