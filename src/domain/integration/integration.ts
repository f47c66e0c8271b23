/** Kinds of remote systems that a tenant can connect with (S2-17). */
export const integrationKinds = ['rest_api_key', 'oauth2_client_credentials', 'webhook_source', 'postgres_source'] as const;

export type IntegrationKind = (typeof integrationKinds)[number];

/** How records are requested page by page, and where they are found in an answer (JSON pointers, RFC 6901). */
export interface RemotePaging {
  readonly page_size: number;
  readonly limit_param: string;
  readonly cursor_param: string;
  readonly items_pointer: string;
  readonly cursor_pointer: string;
  /** Relative to a record. */
  readonly id_pointer: string;
}

/**
 * Where the remote service issues and revokes keys: `POST path` creates one (idempotent by `Idempotency-Key`),
 * `DELETE path/{id}` revokes one.
 */
export interface KeyManagement {
  readonly path: string;
  readonly id_pointer: string;
  readonly secret_pointer: string;
}

interface HttpService {
  readonly base_url: string;
  /** Requested by GET to check whether a key is accepted. */
  readonly probe_path: string;
  readonly records_path: string;
  readonly paging: RemotePaging;
  /** Null: keys are exchanged by hand. */
  readonly key_management: KeyManagement | null;
}

/** A service that takes its key in a header. */
export interface RestConfig extends HttpService {
  readonly kind: 'rest_api_key';
  readonly auth_header: string;
  /** Precedes the key, such as `Bearer`; null: the key alone. */
  readonly auth_scheme: string | null;
}

/** A service that issues access tokens for client id and secret (RFC 6749 section 4.4). */
export interface OAuthConfig extends HttpService {
  readonly kind: 'oauth2_client_credentials';
  readonly token_url: string;
  readonly client_id: string;
  readonly client_authentication: 'basic' | 'post';
  readonly scope: string | null;
}

/** A system that sends its records to us, signed according to Standard Webhooks. */
export interface WebhookSourceConfig {
  readonly kind: 'webhook_source';
  /** Relative to the message's `data`; a message without an id there is stored under its message id. */
  readonly id_pointer: string;
}

/** A table or view of another PostgreSQL. */
export interface PostgresConfig {
  readonly kind: 'postgres_source';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** `disable` only for hosts that the operator allows by name (`OUTBOUND_ALLOW`). */
  readonly tls: 'require' | 'disable';
  readonly schema: string;
  readonly table: string;
  /** Unique; pages are read in its order. */
  readonly id_column: string;
  readonly page_size: number;
}

/** The connection of an integration, by kind. It contains no secret. */
export type IntegrationConfig = RestConfig | OAuthConfig | WebhookSourceConfig | PostgresConfig;

/** Connections whose records we fetch; a webhook source sends its records itself. */
export type PulledConfig = Exclude<IntegrationConfig, WebhookSourceConfig>;

/** Connections whose remote service issues keys. */
export type KeyedConfig = (RestConfig | OAuthConfig) & { readonly key_management: KeyManagement };

/** True when records are fetched, so that it can be synced. */
export function isPulled(config: IntegrationConfig): config is PulledConfig {
  return config.kind !== 'webhook_source';
}

/** True when the remote service issues and revokes keys, so that a rotation can run automatically. */
export function hasKeyManagement(config: IntegrationConfig): config is KeyedConfig {
  return 'key_management' in config && config.key_management !== null;
}

/** The URLs that an integration calls; each passes the address guard before it is stored. */
export function addressesOf(config: IntegrationConfig): { pointer: string; url: string }[] {
  switch (config.kind) {
    case 'rest_api_key':
      return [{ pointer: '/config/base_url', url: config.base_url }];
    case 'oauth2_client_credentials':
      return [
        { pointer: '/config/base_url', url: config.base_url },
        { pointer: '/config/token_url', url: config.token_url },
      ];
    case 'webhook_source':
    case 'postgres_source':
      return [];
  }
}

/** The URL of a path below a service's base URL. */
export function serviceUrl(baseUrl: string, path: string): string {
  return `${baseUrl.replace(/\/+$/, '')}${path}`;
}

/** Replaces every secret in answers; always of one length, so that it reveals nothing (S2-58). */
export const maskedSecret = '••••••••••••';

/** What started a sync. */
export const syncTriggers = ['manual', 'schedule'] as const;
export type SyncTrigger = (typeof syncTriggers)[number];

/** `completed_with_failures`: the end was reached, and some records could not be stored. */
export const syncStatuses = ['running', 'succeeded', 'completed_with_failures', 'failed', 'cancelled'] as const;
export type SyncStatus = (typeof syncStatuses)[number];

/**
 * Why a remote system could not be used: a closed set, shown in answers. `too_large`: it sent more than a page may hold.
 * `reader_ended`: what it sent ended the process that read it. `quarantined`: that has happened too often.
 */
export const remoteFaults = [
  'unreachable',
  'refused',
  'failing',
  'unexpected',
  'address_refused',
  'too_large',
  'reader_ended',
  'quarantined',
] as const;
export type RemoteFault = (typeof remoteFaults)[number];

/** True when a retry may help: the system was unavailable, had an error of its own, or has one more try. */
export function isTransient(fault: RemoteFault): boolean {
  return fault === 'unreachable' || fault === 'failing' || fault === 'reader_ended';
}

/** Why an integration got a strike: how the process ended that read its records. */
export const strikeReasons = ['deadline', 'memory', 'cpu', 'crashed'] as const;
export type StrikeReason = (typeof strikeReasons)[number];

/** With so many strikes in a row an integration is quarantined. A page that was written takes them back. */
export const maxStrikes = 2;
