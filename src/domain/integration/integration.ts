/** Kinds of remote systems that the portal is connected with (S2-17). */
export const integrationKinds = ['rest_api_key', 'oauth2_client_credentials', 'webhook_source', 'postgres_source'] as const;

export type IntegrationKind = (typeof integrationKinds)[number];

/** How records are asked for page by page, and where they stand in an answer (JSON pointers, RFC 6901). */
export interface RemotePaging {
  readonly page_size: number;
  readonly limit_param: string;
  readonly cursor_param: string;
  readonly items_pointer: string;
  readonly cursor_pointer: string;
  /** Below a record. */
  readonly id_pointer: string;
}

/**
 * Where the remote service issues and revokes keys: `POST path` makes one (idempotent by `Idempotency-Key`),
 * `DELETE path/{id}` revokes one.
 */
export interface KeyManagement {
  readonly path: string;
  readonly id_pointer: string;
  readonly secret_pointer: string;
}

interface HttpService {
  readonly base_url: string;
  /** Asked by GET to see whether a key is accepted. */
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
  /** Stands before the key, e.g. `Bearer`; null: the key alone. */
  readonly auth_scheme: string | null;
}

/** A service that gives access tokens for client id and secret (RFC 6749 section 4.4). */
export interface OAuthConfig extends HttpService {
  readonly kind: 'oauth2_client_credentials';
  readonly token_url: string;
  readonly client_id: string;
  readonly client_authentication: 'basic' | 'post';
  readonly scope: string | null;
}

/** A system that sends its records to us, signed as Standard Webhooks says. */
export interface WebhookSourceConfig {
  readonly kind: 'webhook_source';
  /** Below the message's `data`; a message without it is stored under its own id. */
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
  /** Unique and ordered: pages follow it. */
  readonly id_column: string;
  readonly page_size: number;
}

/** What an integration is connected with, by kind. No secret is in it. */
export type IntegrationConfig = RestConfig | OAuthConfig | WebhookSourceConfig | PostgresConfig;

/** Integrations whose records we fetch; a webhook source sends them by itself. */
export type PulledConfig = Exclude<IntegrationConfig, WebhookSourceConfig>;

/** Integrations whose remote service issues keys. */
export type KeyedConfig = (RestConfig | OAuthConfig) & { readonly key_management: KeyManagement };

/** True when records are fetched, so that a sync means something. */
export function isPulled(config: IntegrationConfig): config is PulledConfig {
  return config.kind !== 'webhook_source';
}

/** True when the remote service issues and revokes keys, so that a rotation can run by itself. */
export function hasKeyManagement(config: IntegrationConfig): config is KeyedConfig {
  return 'key_management' in config && config.key_management !== null;
}

/** Web addresses that an integration speaks to; each is looked at by the address guard before it is stored. */
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

/** The address below a service's base; paths are absolute within it and never leave it. */
export function serviceUrl(baseUrl: string, path: string): string {
  return `${baseUrl.replace(/\/+$/, '')}${path}`;
}

/** Stands for every secret in answers; of one length, so that it tells nothing (S2-58). */
export const maskedSecret = '••••••••••••';

/** How a sync was asked for. */
export const syncTriggers = ['manual', 'schedule'] as const;
export type SyncTrigger = (typeof syncTriggers)[number];

/** `completed_with_failures`: the end was reached and some records could not be taken. */
export const syncStatuses = ['running', 'succeeded', 'completed_with_failures', 'failed', 'cancelled'] as const;
export type SyncStatus = (typeof syncStatuses)[number];

/** Why a remote system could not be used; a closed word that is shown and counted. */
export const remoteFaults = ['unreachable', 'refused', 'failing', 'unexpected', 'address_refused'] as const;
export type RemoteFault = (typeof remoteFaults)[number];

/** True when asking again may help: the system was away or in trouble. */
export function isPassing(fault: RemoteFault): boolean {
  return fault === 'unreachable' || fault === 'failing';
}
