import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { Client } from 'pg';
import type { ClientConfig } from 'pg';
import type { Logger } from '../observability/logger.ts';

/** What changed: kind and key of a cached value, e.g. `session` and its id. The key `*` means all of the kind. */
export interface InvalidationEvent {
  readonly kind: string;
  readonly key: string;
}

type Listener = (event: InvalidationEvent) => void;

const channel = 'castellan_invalidate';
const reconnectDelayMs = 200;
const heartbeatMs = 5_000;

/**
 * Informs the caches of this process about changes by other processes, through LISTEN/NOTIFY: the notification arrives
 * when the change commits, well under a second.
 *
 * While the listening connection is down, {@link isLive} is false and caches must not be used: they fail closed by
 * querying the database. On every (re)connect listeners get `{ kind: '*', key: '*' }`.
 */
export class Invalidation {
  readonly #config: ClientConfig;
  readonly #log: Logger;
  readonly #listeners = new Set<Listener>();
  #client: Client | undefined;
  #live = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: ClientConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** True while notifications arrive; false means that cached answers may be stale. */
  get isLive(): boolean {
    return this.#live;
  }

  /** Registers a listener; the returned function removes it. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    const client = new Client({ ...this.#config, keepAlive: true });
    client.on('error', () => this.#lost(client));
    client.on('end', () => this.#lost(client));
    client.on('notification', ({ payload }) => this.#receive(payload ?? ''));
    await client.connect();
    await client.query(`listen ${channel}`);
    this.#client = client;
    this.#live = true;
    this.#publish({ kind: '*', key: '*' });
    this.#heartbeat(client);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#live = false;
    clearTimeout(this.#timer);
    await this.#client?.end().catch(() => undefined);
  }

  /** A half-open connection neither delivers nor fails, so it is probed regularly. */
  #heartbeat(client: Client): void {
    this.#timer = setTimeout(() => {
      const deadline = setTimeout(() => this.#lost(client), heartbeatMs);
      client.query('select 1').then(
        () => {
          clearTimeout(deadline);
          if (this.#client === client) this.#heartbeat(client);
        },
        () => {
          clearTimeout(deadline);
          this.#lost(client);
        },
      );
    }, heartbeatMs);
    this.#timer.unref();
  }

  #lost(client: Client): void {
    if (this.#stopped || this.#client !== client) return;
    this.#client = undefined;
    this.#live = false;
    clearTimeout(this.#timer);
    this.#log.warn('the invalidation connection was lost; caches are bypassed until it is restored');
    client.end().catch(() => undefined);
    this.#retry();
  }

  #retry(): void {
    this.#timer = setTimeout(() => {
      if (this.#stopped) return;
      this.start().catch(() => this.#retry());
    }, reconnectDelayMs);
  }

  #receive(payload: string): void {
    const separator = payload.indexOf(':');
    if (separator <= 0) return;
    this.#publish({ kind: payload.slice(0, separator), key: payload.slice(separator + 1) });
  }

  #publish(event: InvalidationEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** The statement that announces a change; it takes effect when its transaction commits. */
export function invalidationStatement({ kind, key }: InvalidationEvent): RawBuilder<unknown> {
  return sql`select pg_notify(${channel}, ${`${kind}:${key}`})`;
}
