import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { z } from 'zod';
import type { Route } from '../../../src/api/http/route.ts';
import { withClient } from '../../../src/dev/bootstrap-database.ts';
import { softwareModules } from '../../../src/domain/identity/module-permission.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import type { TestApi } from '../api.ts';

/** Path parameters of a route, in order. */
export function paramsOf(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
}

/** The path with every parameter replaced. */
export function fill(path: string, value: (name: string) => string): string {
  return path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(value(name)));
}

/** Segments that name rows of more than one table, or of one that is called otherwise, with the one that is tried. */
const sharedWords: Readonly<Record<string, string>> = { persons: 'users', members: 'user_campaign_assignment' };

/** Where the things are that a path names first: `/admin/feature-flags/:key` are rows of `admin_feature_flags`. */
export async function tableOf(admin: Client, path: string): Promise<string | null> {
  const segment = /\/([\w-]+)\/:\w+/.exec(path)?.[1];
  return segment === undefined ? null : tableOfSegment(admin, segment.replaceAll('-', '_'));
}

async function tableOfSegment(admin: Client, segment: string): Promise<string | null> {
  if (segment in sharedWords) return sharedWords[segment] ?? null;
  const { rows } = await admin.query<{ table_name: string }>(
    `select c.table_name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and c.column_name = 'tenant_id' and t.table_type = 'BASE TABLE'
       and (c.table_name = $1 or c.table_name ~ ('_' || $1 || 's?$'))
     order by c.table_name !~ ($1 || '$'), length(c.table_name) limit 1`,
    [segment],
  );
  return rows[0]?.table_name ?? null;
}

/** A value of a parameter that exists in the sample tenant: `id` and `…Id` are ids, other names are columns. */
export async function existing(admin: Client, table: string, param: string): Promise<string | null> {
  // A member of a pool is named by the user, all others by an id of their own.
  const isOwnId = /(^|_)id$|Id$/.test(param) && table !== sharedWords['members'];
  const column = isOwnId ? 'id' : param;
  const { rows } = await admin.query<{ value: string }>(
    `select ${column}::text as value from ${table} where tenant_id = $1 limit 1`,
    [defaultTenantId],
  );
  return rows[0]?.value ?? null;
}

/** The path of a route with its parameters naming things that are there; some id where nothing is. */
export async function pathOf(app: TestApi, route: Route): Promise<string> {
  return withClient(app.database.adminUrl, async (client) => {
    const values = new Map<string, string>();
    for (const [, segment, param] of route.path.matchAll(/\/([\w-]+)\/:(\w+)/g)) {
      // Only looked at: what is done to a tenant is tried on one that is not there.
      const tenant = segment === 'tenants' && route.method === 'get' ? defaultTenantId : null;
      const found = tenant ?? (await valueOf(client, segment!.replaceAll('-', '_'), param!));
      values.set(param!, found ?? '00000000-0000-4000-8000-000000000009');
    }
    return fill(route.path, (name) => values.get(name)!);
  });
}

async function valueOf(client: Client, segment: string, param: string): Promise<string | null> {
  if (param === 'environment') return 'development';
  if (param === 'agent') return softwareModules[0];
  const table = await tableOfSegment(client, segment);
  return table === null ? null : existing(client, table, param).catch(() => null);
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

/** Bodies where the smallest one of the schema is refused by a rule beyond it. */
const bodies: Readonly<Record<string, unknown>> = {
  updateCampaignMember: { weight: 200 },
  updateAlertSilence: { reason: 'renamed' },
  updateNotificationChannel: { name: 'renamed' },
  updateFeatureFlag: {
    environment: 'development',
    value_type: 'boolean',
    enabled: false,
    rollout_percentage: 0,
    variants: { on: true, off: false },
    on_variant: 'on',
    off_variant: 'off',
  },
  updateIntegration: { name: 'Renamed' },
  updateIntegrationConfig: { config: { kind: 'webhook_source' } },
  updateRole: { name: 'Renamed' },
  updateTenant: { name: 'Renamed' },
  updateUser: { full_name: 'Renamed' },
};

/** A body that a route takes. */
export function validBody(route: Route): unknown {
  return bodies[route.operationId] ?? sampleBody(route);
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
