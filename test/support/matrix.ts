import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { z } from 'zod';
import type { Route } from '../../src/api/http/route.ts';
import { withClient } from '../../src/dev/bootstrap-database.ts';
import { samplePassword } from '../../src/dev/sample-data.ts';
import { defaultTenantId } from '../../src/domain/shared/actor.ts';
import { createAccessTokens } from '../../src/platform/security/access-token.ts';
import { callApi } from './api.ts';
import type { Answer, CallOptions, SignedIn, TestApi } from './api.ts';

/** The tenant of the outsider, who holds every permission there and nothing here. */
export const otherTenantId = '00000000-0000-4000-8000-0000000000b0';

/** A person made by SQL with the sample password, then signed in over HTTP. Without a role code he holds nothing. */
export async function makePerson(app: TestApi, tenantId: string, roleCode: string | null): Promise<SignedIn> {
  const email = `person-${randomUUID()}@matrix.test`;
  const userId = await withClient(app.database.adminUrl, async (admin) => {
    await admin.query(
      `insert into tenants (id, name, domain) values ($1::uuid, 'Other', $1::uuid::text || '.test') on conflict do nothing`,
      [tenantId],
    );
    const { rows } = await admin.query<{ id: string }>(
      `insert into users (tenant_id, email, full_name, password_hash)
       select $1, $2, 'Matrix Person', password_hash from users where password_hash is not null limit 1 returning id`,
      [tenantId, email],
    );
    const id = rows[0]!.id;
    if (roleCode !== null) {
      await admin.query(
        `insert into admin_role_assignments (tenant_id, user_id, role_id)
         select $1, $2, id from admin_roles where code = $3 and tenant_id is null`,
        [tenantId, id, roleCode],
      );
    }
    return id;
  });
  const answer = await callApi(app.url, 'POST', '/auth/login', { body: { email, password: samplePassword } });
  if (answer.status !== 200) throw new Error(`Sign-in of a made person failed: ${JSON.stringify(answer.body)}`);
  return {
    user_id: userId,
    email,
    token: answer.body.access_token,
    refresh_token: answer.body.refresh_token,
    session_id: answer.body.session_id,
    totp_secret: '',
  };
}

/** A token of ours that was good an hour ago. */
export async function expiredToken(app: TestApi, person: SignedIn): Promise<string> {
  const { signingKeys } = app.api.deps;
  const anHourAgo = createAccessTokens({
    keyring: signingKeys,
    issuer: app.env.PUBLIC_URL,
    ttlSeconds: 60,
    now: () => Date.now() - 3_600_000,
  });
  const { user_id, session_id } = person;
  const { token } = await anHourAgo.issue({ user_id, session_id, tenant_id: defaultTenantId });
  return token;
}

/**
 * Sends a request; where it asks for a factor proof, sends it again with one. The challenge is written as met, because
 * meeting one by TOTP takes a time step of 30 seconds each.
 */
export async function callWithProof(
  app: TestApi,
  tenantId: string,
  person: SignedIn,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const asked = await app.call(method, path, { ...options, token: person.token });
  if (asked.status !== 403 || asked.body.code !== 'mfa.required') return asked;
  const { user_id, session_id } = person;
  const { action, payload_digest } = asked.body as { action: string; payload_digest: string };
  const challengeId = await withClient(app.database.adminUrl, async (admin) => {
    const { rows } = await admin.query<{ id: string }>(
      `insert into mfa_challenges
         (tenant_id, user_id, session_id, action, payload_digest, method, expires_at, verified_at, proof_expires_at)
       values ($1, $2, $3, $4, $5, 'totp', now() + interval '5 min', now(), now() + interval '5 min') returning id`,
      [tenantId, user_id, session_id, action, payload_digest],
    );
    return rows[0]!.id;
  });
  const proof = await app.api.deps.mfaTokens.issue({ user_id, session_id, action, payload_digest }, challengeId);
  return app.call(method, path, {
    ...options,
    token: person.token,
    headers: { ...options.headers, 'x-mfa-token': proof.token },
  });
}

/** Path parameters of a route, in order. */
export function paramsOf(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
}

/** The path with every parameter replaced. */
export function fill(path: string, value: (name: string) => string): string {
  return path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(value(name)));
}

/** Segments that name rows of more than one table, with the one that is tried. */
const sharedWords: Readonly<Record<string, string>> = { persons: 'users' };

/** Where the things are that a path segment names: `/admin/feature-flags/:key` are rows of `admin_feature_flags`. */
export async function tableOf(admin: Client, path: string): Promise<string | null> {
  const segment = /\/([\w-]+)\/:\w+/.exec(path)?.[1]?.replaceAll('-', '_');
  if (segment === undefined) return null;
  if (segment in sharedWords) return sharedWords[segment] ?? null;
  const { rows } = await admin.query<{ table_name: string }>(
    `select c.table_name from information_schema.columns c
     where c.table_schema = 'public' and c.column_name = 'tenant_id'
       and (c.table_name = $1 or c.table_name ~ ('_' || $1 || 's?$'))
     order by c.table_name !~ ($1 || '$'), length(c.table_name) limit 1`,
    [segment],
  );
  return rows[0]?.table_name ?? null;
}

/** A value of a parameter that exists in the sample tenant: `id` and `…Id` are ids, other names are columns. */
export async function existing(admin: Client, table: string, param: string): Promise<string | null> {
  const column = /(^|_)id$|Id$/.test(param) ? 'id' : param;
  const { rows } = await admin.query<{ value: string }>(
    `select ${column}::text as value from ${table} where tenant_id = $1 limit 1`,
    [defaultTenantId],
  );
  return rows[0]?.value ?? null;
}

/** The path of a route with its parameter, if it has one, naming something that is there; some id where nothing is. */
export async function pathOf(app: TestApi, route: Route): Promise<string> {
  const [param] = paramsOf(route.path);
  if (param === undefined) return route.path;
  const value = await withClient(app.database.adminUrl, async (client) => {
    const table = await tableOf(client, route.path);
    return table === null ? null : existing(client, table, param).catch(() => null);
  });
  return fill(route.path, () => value ?? '00000000-0000-4000-8000-000000000009');
}

/** Names of the fields that an object of a schema may have. */
export function fieldsOf(schema: z.ZodType | undefined): string[] {
  return schema === undefined ? [] : Object.keys(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }).properties ?? {});
}

/** A value of the same form that nobody has. */
export function missing(value: string): string {
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(value)) return randomUUID();
  if (/^\d+$/.test(value)) return '2147483000';
  return `no-such-${value}`.slice(0, 60);
}

type JsonSchema = {
  readonly [key: string]: unknown;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
};

/** The smallest body that a route's schema takes; what refinements ask for beyond that is not known here. */
export function sampleBody(route: Route): unknown {
  if (route.body === undefined) return undefined;
  const root = z.toJSONSchema(route.body, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  return sampleOf(root, root);
}

/** The smallest query that a route's schema takes, with its question mark; empty where none is needed. */
export function sampleQuery(route: Route): string {
  if (route.query === undefined) return '';
  const root = z.toJSONSchema(route.query, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const fields = Object.entries(sampleOf(root, root) as Record<string, unknown>);
  return fields.length === 0 ? '' : `?${new URLSearchParams(fields.map(([name, value]): [string, string] => [name, String(value)])).toString()}`;
}

function sampleOf(schema: JsonSchema, root: JsonSchema): unknown {
  if (typeof schema['$ref'] === 'string') {
    const name = /^#\/\$defs\/(.+)$/.exec(schema['$ref'])?.[1];
    return sampleOf(name === undefined ? {} : (root.$defs?.[name] ?? {}), root);
  }
  if ('const' in schema) return schema['const'];
  if (schema.enum !== undefined) return schema.enum[0];
  const union = schema.anyOf ?? schema.oneOf;
  if (union !== undefined) return sampleOf(union[0] ?? {}, root);
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map((part) => sampleOf(part, root)));
  switch (schema.type) {
    case 'object': {
      const { properties = {}, required = [] } = schema;
      return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name] ?? {}, root)]));
    }
    case 'array':
      return Array.from({ length: Number(schema['minItems'] ?? 0) }, () => sampleOf(schema.items ?? {}, root));
    case 'integer':
    case 'number':
      return Number(schema['minimum'] ?? 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'string':
      return sampleText(schema);
    default:
      return {};
  }
}

function sampleText(schema: JsonSchema): string {
  if (String(schema['pattern']).includes('[0-9a-f]{64}')) return 'a'.repeat(64);
  switch (schema['format']) {
    case 'uuid':
      return randomUUID();
    case 'email':
      return 'someone@matrix.test';
    case 'uri':
      return 'https://example.com/hook';
    case 'date-time':
      return '2099-01-01T00:00:00Z';
    case 'date':
      return '2099-01-01';
    default:
      return 'sample-text-for-the-matrix'.slice(0, Math.max(Number(schema['minLength'] ?? 1), 12)).padEnd(
        Number(schema['minLength'] ?? 1),
        'x',
      );
  }
}
