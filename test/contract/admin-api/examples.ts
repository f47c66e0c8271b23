import { writeFile } from 'node:fs/promises';
import type { CastellanClient } from '../../../src/sdk/index.ts';

const examplesFile = new URL('../../../src/api/http/openapi-examples.json', import.meta.url);
/** Enough to show the form. */
const maxArrayItems = 2;

/** One call as it went over the wire. */
interface Exchange {
  readonly request?: unknown;
  readonly status: number;
  readonly response?: unknown;
}

/** `get /admin/users/{id}` and the first call of it that showed something. */
const exchanges = new Map<string, Exchange>();

/**
 * Keeps what goes over the wire, so that the examples of the OpenAPI document are calls that worked:
 * `UPDATE_EXAMPLES=1 npm test -- test/contract/admin-api.test.ts`, then `npm run openapi`.
 */
export function keepExchanges({ http }: CastellanClient): void {
  const bodies = new WeakMap<Request, string>();
  http.use({
    onRequest: async ({ request }) => {
      bodies.set(request, await request.clone().text());
    },
    onResponse: async ({ request, response, schemaPath }) => {
      const isJson = /json$/.test((response.headers.get('content-type') ?? '').split(';')[0] ?? '');
      if (!response.ok || (response.status !== 204 && !isJson)) return;
      const sent = bodies.get(request) ?? '';
      const answer: unknown = response.status === 204 ? undefined : await response.clone().json();
      const name = `${request.method.toLowerCase()} ${schemaPath}`;
      const exchange: Exchange = {
        ...(sent === '' ? {} : { request: shortened(JSON.parse(sent)) }),
        status: response.status,
        ...(answer === undefined ? {} : { response: shortened(answer) }),
      };
      const known = exchanges.get(name);
      if (known === undefined || (isEmptyList(known.response) && !isEmptyList(answer))) exchanges.set(name, exchange);
    },
  });
}

/** Writes the examples of the named operations. @param operations id by `method path` */
export async function writeExamples(operations: ReadonlyMap<string, string>): Promise<void> {
  const examples = [...exchanges].flatMap(([name, exchange]) => {
    const id = operations.get(name);
    return id === undefined ? [] : [[id, exchange] as const];
  });
  const sorted = examples.toSorted(([left], [right]) => left.localeCompare(right));
  await writeFile(examplesFile, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
}

function isEmptyList(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'items' in body && Array.isArray(body.items) && body.items.length === 0;
}

/** Tokens are worth nothing outside of their test, but nobody who reads an example can know that; addresses neither. */
function shortened(value: unknown, name = ''): unknown {
  if (/token$/.test(name) && typeof value === 'string') return 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl';
  if (typeof value === 'string') return value.replace(/^http:\/\/127\.0\.0\.1:\d+/, 'https://crm.example.com');
  if (Array.isArray(value)) return value.slice(0, maxArrayItems).map((item) => shortened(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shortened(member, key)]));
}
