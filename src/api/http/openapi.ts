import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { createDocument } from 'zod-openapi';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { problemCodes } from '../../domain/shared/problem-codes.ts';
import type { ProblemCode } from '../../domain/shared/problem-codes.ts';
import { describeGate, takesIdempotencyKey } from './route-description.ts';
import type { DescribedRoute } from './route-description.ts';

const problem = z
  .looseObject({
    type: z.string().describe('`urn:castellan:problem:` and the code'),
    title: z.string().describe('What kind of problem it is'),
    status: z.number().int().describe('The HTTP status'),
    detail: z.string().describe('What the caller can do about it'),
    instance: z.string().describe('The request id, for searching the logs'),
    code: z.string().describe('Stable name of the problem'),
    errors: z
      .array(
        z.object({
          pointer: z.string().describe('JSON pointer into the request'),
          detail: z.string().describe('What is wrong there'),
          code: z.string().optional().describe('Name of the rule, where programs have words of their own for it'),
        }),
      )
      .optional()
      .describe('Every violated rule of the input'),
  })
  .meta({ id: 'Problem', description: 'A problem of RFC 9457' });

/**
 * Calls of the admin UI's operations that worked, kept by `test/contract/admin-api.test.ts`, which also validates them
 * against their schemas.
 */
const operationExamples = z
  .record(z.string(), z.object({ request: z.unknown().optional(), status: z.int(), response: z.unknown().optional() }))
  .parse(JSON.parse(readFileSync(new URL('./openapi-examples.json', import.meta.url), 'utf8')));

function exampleOf(value: unknown): { example?: unknown } {
  return value === undefined ? {} : { example: value };
}

/**
 * The OpenAPI 3.1 document, derived from the route literals alone.
 *
 * @param serverUrl where the API is reached; part of the document.
 */
export function openApiDocument(routes: readonly DescribedRoute[], serverUrl: string) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    for (const path of [route.path, ...(route.aliases ?? [])]) {
      const item = (paths[path.replaceAll(/:(\w+)/g, '{$1}')] ??= {});
      item[route.method] = operation(route, path !== route.path);
    }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Castellan',
      version: '1.0.0',
      description:
        'The admin backend of a multi-tenant business. Errors are `application/problem+json`; lists are paged by ' +
        '`cursor`; changes of versioned resources carry `If-Match`; POST requests accept an `Idempotency-Key`.',
    },
    servers: [{ url: serverUrl }],
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'Access token or service token' } },
    },
    paths,
  });
}

/** An alias is a second spelling of an operation; OpenAPI wants its own id for each. */
function operation(route: DescribedRoute, isAlias: boolean): ZodOpenApiOperationObject {
  const { params, query, body } = route;
  const example = operationExamples[route.operationId];
  const header = headersOf(route);
  const { gate, action } = describeGate(route);
  return {
    operationId: isAlias ? `${route.operationId}Alias` : route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(isAlias ? { deprecated: false } : {}),
    ...(route.permission === 'public' ? { security: [] } : {}),
    'x-permission': route.permission,
    'x-gate': action === null ? gate : `${gate}:${action}`,
    requestParams: {
      ...(params === undefined ? {} : { path: params as z.ZodObject }),
      ...(query === undefined ? {} : { query: query as z.ZodObject }),
      ...(header === null ? {} : { header }),
    },
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body, ...exampleOf(example?.request) } } } }),
    ...(route.uploads === undefined ? {} : { requestBody: { required: true, content: uploadContent(route.uploads) } }),
    responses: { ...answers(route), ...problems(route) },
  };
}

function uploadContent(types: readonly string[]) {
  return Object.fromEntries(types.map((type) => [type, { schema: { type: 'string' as const } }]));
}

function headersOf(route: DescribedRoute): z.ZodObject | null {
  const fields: Record<string, z.ZodType> = {};
  if (takesIdempotencyKey(route)) {
    fields['Idempotency-Key'] = z.string().max(255).optional().describe('Repeats get the first response');
  }
  if (route.requiresIfMatch === true) fields['If-Match'] = z.string().describe('ETag of the version that was read');
  if (route.gate !== 'none') fields['X-MFA-Token'] = z.string().optional().describe('Proof of the second factor');
  return Object.keys(fields).length === 0 ? null : z.object(fields);
}

const successDescriptions: Record<number, string> = {
  200: 'Done',
  201: 'Created',
  202: 'Accepted: an approval request was opened',
  204: 'Done; nothing to show',
  302: 'Redirect to `Location`',
  304: 'Not modified',
};

function answers(route: DescribedRoute): ZodOpenApiResponsesObject {
  const result: ZodOpenApiResponsesObject = {};
  for (const [status, spec] of Object.entries(route.responses)) {
    const description = successDescriptions[Number(status)] ?? 'Answer';
    const key = status as `${1 | 2 | 3 | 4 | 5}${string}`;
    if (spec === null) result[key] = { description };
    else if (spec instanceof z.ZodType) {
      const example = operationExamples[route.operationId];
      const shown = example?.status === Number(status) ? exampleOf(example.response) : {};
      result[key] = { description, content: { 'application/json': { schema: spec, ...shown } } };
    }
    else {
      const schema = { type: 'string' } as const;
      result[key] = {
        description: spec.description,
        content: Object.fromEntries(spec.contentTypes.map((type) => [type, { schema }])),
      };
    }
  }
  return result;
}

/** What any route of this kind can answer with, besides what it declares. */
function implied(route: DescribedRoute): ProblemCode[] {
  return [
    ...(route.permission === 'public' ? [] : (['auth.required'] as const)),
    ...(route.permission === 'public' ? [] : (['auth.forbidden'] as const)),
    ...(route.params === undefined ? [] : (['resource.not-found'] as const)),
    ...(route.body === undefined ? [] : (['request.malformed', 'request.too-large', 'request.unsupported-media-type'] as const)),
    ...(route.body === undefined && route.query === undefined ? [] : (['request.invalid'] as const)),
    ...(route.gate === 'none' ? [] : (['mfa.required'] as const)),
    ...(route.requiresIfMatch === true ? (['resource.version-required', 'resource.version-mismatch'] as const) : []),
    ...(takesIdempotencyKey(route)
      ? (['idempotency.key-invalid', 'idempotency.key-reused', 'idempotency.in-progress', 'idempotency.answer-erased'] as const)
      : []),
    'request.rate-limited',
    'service.unavailable',
  ];
}

function problems(route: DescribedRoute): ZodOpenApiResponsesObject {
  const byStatus = new Map<number, Set<ProblemCode>>();
  for (const code of [...implied(route), ...(route.problems ?? [])]) {
    const { status } = problemCodes[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const result: ZodOpenApiResponsesObject = {};
  for (const [status, codes] of [...byStatus].sort(([a], [b]) => a - b)) {
    result[`${status}` as `4${string}`] = {
      description: [...codes].map((code) => `\`${code}\``).join(', '),
      content: { 'application/problem+json': { schema: problem } },
    };
  }
  return result;
}
