import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { LRUCache } from 'lru-cache';
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
/** How long after a probe caches are used without another one: the bound for changes of other processes (S4-25). */
const trustMs = 1_000;
/** From this age of the last probe on, a lookup sends the next one, so that rarely anybody waits for it. */
const renewMs = 500;
/** Longest wait of a lookup for a probe; after it the lookup queries the database itself. */
const probeWaitMs = 250;
/** Changes of this process whose notification has not come back yet; more of them are applied a second time, without harm. */
const maxOwnChanges = 10_000;

/**
 * Informs the caches of this process about changes. Its own changes are applied when their transaction has committed,
 * before the answer leaves ({@link applyOwn}). Those of other processes arrive through LISTEN/NOTIFY, and what another
 * process did on behalf of a caller here is waited for ({@link caughtUp}).
 *
 * Caches may be used while {@link isCurrent}: the listening connection has answered a probe within the last second.
 * PostgreSQL delivers notifications in the order of commits, and those that are due before it reports the end of a
 * statement, so an answered probe proves that everything committed before it has arrived. Otherwise caches fail closed
 * by querying the database. On every (re)connect listeners get `{ kind: '*', key: '*' }`.
 */
export class Invalidation {
  readonly #config: ClientConfig;
  readonly #log: Logger;
  readonly #listeners = new Set<Listener>();
  readonly #applied = new LRUCache<string, true>({ max: maxOwnChanges });
  #client: Client | undefined;
  /** When the last answered probe was sent, by the monotonic clock. */
  #provenAtMs = -Infinity;
  /** What was committed before this time must have arrived. */
  #requiredAtMs = -Infinity;
  #running: Promise<void> | undefined;
  #runningSinceMs = -Infinity;
  #next: Promise<void> | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: ClientConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** True while the listening connection is up. */
  get isLive(): boolean {
    return this.#client !== undefined;
  }

  /** Registers a listener; the returned function removes it. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Whether cached answers may be used now. Most calls get a plain boolean, because this is asked for every lookup; the
   * others get a promise that settles within a quarter of a second.
   */
  isCurrent(): boolean | Promise<boolean> {
    const nowMs = performance.now();
    if (this.#client === undefined) return false;
    if (this.#isProven(nowMs)) {
      if (nowMs - this.#provenAtMs > renewMs) void this.#probe();
      return true;
    }
    return this.#running !== undefined && nowMs - this.#runningSinceMs > probeWaitMs ? false : this.#prove(nowMs);
  }

  /**
   * Waits until every change that was committed before this call has reached the caches of this process. Where the
   * listening connection does not answer in time, caches are not used until it does.
   */
  async caughtUp(): Promise<void> {
    this.#requiredAtMs = performance.now();
    await this.isCurrent();
  }

  /**
   * Applies changes that this process has committed. Their notification is then ignored: it would remove again what has
   * been loaded since.
   *
   * @param change the id in their {@link invalidationStatement}; null when the outcome of the commit is not known, so that
   *   the notification, which may come later, is applied.
   */
  applyOwn(events: readonly InvalidationEvent[], change: string | null): void {
    if (change !== null && this.#client !== undefined) this.#applied.set(change, true);
    for (const event of events) this.#publish(event);
  }

  async start(): Promise<void> {
    const client = new Client({ ...this.#config, keepAlive: true });
    client.on('error', () => this.#lost(client));
    client.on('end', () => this.#lost(client));
    client.on('notification', ({ payload }) => this.#receive(payload ?? ''));
    await client.connect();
    const sentAtMs = performance.now();
    await client.query(`listen ${channel}`);
    if (this.#stopped) {
      await client.end();
      return;
    }
    this.#client = client;
    this.#provenAtMs = sentAtMs;
    this.#publish({ kind: '*', key: '*' });
    this.#heartbeat(client);
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#stopped = true;
    this.#client = undefined;
    clearTimeout(this.#timer);
    await client?.end().catch(() => undefined);
  }

  /** A half-open connection neither delivers nor fails, so an idle one is probed regularly, too. */
  #heartbeat(client: Client): void {
    this.#timer = setTimeout(() => {
      const deadline = setTimeout(() => this.#lost(client), heartbeatMs);
      void this.#probe().then(() => {
        clearTimeout(deadline);
        if (this.#client === client) this.#heartbeat(client);
      });
    }, heartbeatMs);
    this.#timer.unref();
  }

  /** Whether an answered probe is young enough, and was sent after everything that {@link caughtUp} has to wait for. */
  #isProven(nowMs: number): boolean {
    return nowMs - this.#provenAtMs < trustMs && this.#provenAtMs >= this.#requiredAtMs;
  }

  /** Waits for a probe, a bounded time. */
  async #prove(nowMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, probeWaitMs);
    });
    await Promise.race([this.#probe(), timeout]);
    clearTimeout(timer);
    return this.#client !== undefined && this.#isProven(nowMs);
  }

  /**
   * A statement on the listening connection, sent late enough for what is required; callers share it. Never rejects: whether
   * it was answered shows in the time of the last proof.
   */
  #probe(): Promise<void> {
    if (this.#running === undefined) {
      this.#runningSinceMs = performance.now();
      this.#running = this.#ask(this.#runningSinceMs).finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    if (this.#runningSinceMs >= this.#requiredAtMs) return this.#running;
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#probe();
    });
    return this.#next;
  }

  async #ask(sentAtMs: number): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    try {
      await client.query('select 1');
      if (this.#client === client) this.#provenAtMs = sentAtMs;
    } catch {
      this.#lost(client);
    }
  }

  #lost(client: Client): void {
    if (this.#stopped || this.#client !== client) return;
    this.#client = undefined;
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
    const [text = '', change] = payload.split(' ');
    if (change !== undefined && this.#applied.has(change)) return;
    const separator = text.indexOf(':');
    if (separator <= 0) return;
    this.#publish({ kind: text.slice(0, separator), key: text.slice(separator + 1) });
  }

  #publish(event: InvalidationEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/**
 * The statement that announces a change; it takes effect when its transaction commits.
 *
 * @param change an id of the transaction, by which the process that made it knows its own notification
 */
export function invalidationStatement({ kind, key }: InvalidationEvent, change: string): RawBuilder<unknown> {
  return sql`select pg_notify(${channel}, ${`${kind}:${key} ${change}`})`;
}
