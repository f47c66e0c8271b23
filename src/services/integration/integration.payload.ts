import { z } from 'zod';
import { environmentNames } from '../../domain/shared/environment.ts';
import type { IntegrationConfig } from '../../domain/integration/integration.ts';
import { lineText, webAddress } from '../../platform/value-schemas.ts';

/** Name of an integration, unique in a tenant. */
export const integrationName = lineText(100);

export const integrationEnvironment = z.enum(environmentNames);

const pointer = z
  .string()
  .max(200)
  .regex(/^(\/([^/~]|~[01])*)*$/, 'must be a JSON pointer (RFC 6901)');
const bareAddress = webAddress.refine(isBare, 'must have neither query nor fragment');
const path = z
  .string()
  .max(500)
  .regex(/^\/(?!\/)[^\s?#\\]*$/, 'must be a path that begins with one slash, without query')
  .refine((text) => !text.replaceAll(/%2e/gi, '.').split('/').includes('..'), 'must not lead upwards');
const headerName = z.string().max(100).regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header');
const queryName = z.string().max(50).regex(/^[\w.-]+$/, 'must be the name of a query parameter');
const identifier = z.string().min(1).max(63);

function isBare(url: string): boolean {
  const { search, hash, username, password } = new URL(url);
  return search === '' && hash === '' && username === '' && password === '';
}

const paging = z
  .strictObject({
    page_size: z.int().min(1).max(500).default(100).describe('Records requested per page'),
    limit_param: queryName.default('limit'),
    cursor_param: queryName.default('cursor'),
    items_pointer: pointer.default('/items').describe('JSON pointer to the records in a response'),
    cursor_pointer: pointer.default('/next_cursor').describe('JSON pointer to the cursor of the next page'),
    id_pointer: pointer.min(2).default('/id').describe('JSON pointer to the id in a record'),
  })
  .prefault({});

const keyManagement = z
  .strictObject({
    path: path.describe('`POST` creates a key, `DELETE {path}/{id}` revokes one; `Idempotency-Key` must be honoured'),
    id_pointer: pointer.min(2).default('/id'),
    secret_pointer: pointer.min(2),
  })
  .nullable()
  .default(null);

const httpService = {
  base_url: bareAddress,
  probe_path: path.default('/').describe('Called to check whether the key is accepted'),
  records_path: path,
  paging,
  key_management: keyManagement,
};

/** The connection of an integration; the schema is chosen by `kind`. */
export const integrationConfig = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('rest_api_key'),
    ...httpService,
    auth_header: headerName.default('Authorization'),
    auth_scheme: z
      .string()
      .max(30)
      .regex(/^[A-Za-z][\w-]*$/)
      .nullable()
      .default('Bearer'),
  }),
  z.strictObject({
    kind: z.literal('oauth2_client_credentials'),
    ...httpService,
    token_url: bareAddress,
    client_id: z.string().min(1).max(200),
    client_authentication: z.enum(['basic', 'post']).default('basic'),
    scope: z.string().min(1).max(500).nullable().default(null),
  }),
  z.strictObject({
    kind: z.literal('webhook_source'),
    id_pointer: pointer.min(2).default('/id').describe('JSON pointer to the id in the `data` of a message'),
  }),
  z.strictObject({
    kind: z.literal('postgres_source'),
    host: z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^\[?[0-9a-fA-F:.]+\]?$/, 'must be a host name or address'),
    port: z.int().min(1).max(65_535).default(5432).describe('TCP port'),
    database: identifier,
    user: identifier,
    tls: z.enum(['require', 'disable']).default('require'),
    schema: identifier.default('public'),
    table: identifier,
    id_column: identifier.default('id'),
    page_size: z.int().min(1).max(500).default(100).describe('Rows requested per page'),
  }),
]) satisfies z.ZodType<IntegrationConfig>;

/** A secret as input: text that fits into a header, without line breaks. Never part of an answer. */
export const integrationSecret = z
  .string()
  .min(8)
  .max(1_000)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');

/** The remote service's id of a key. */
export const integrationKeyId = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\w.~:-]+$/, 'must be an id that can stand in a path');

/** The interval of scheduled syncs; null: only by hand. */
export const syncEverySeconds = z.int().min(60).max(31 * 24 * 3_600).nullable().describe('Seconds; null: on request');
