import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface IssuedKey {
  readonly id: string;
  readonly secret: string;
  isRevoked: boolean;
  uses: number;
}

/** A record that the service has. */
type RemoteItem = Readonly<Record<string, unknown>>;

/** Where a held request has come to: `before` the service has done anything, or `after` it has, without an answer. */
type HoldPoint = 'before' | 'after';

interface Hold {
  readonly matches: RegExp;
  readonly point: HoldPoint;
  readonly arrived: () => void;
  readonly released: Promise<void>;
}

/**
 * A remote service over real HTTP: it issues keys (idempotent by Idempotency-Key), accepts and refuses them, revokes them,
 * gives access tokens for client credentials, serves records page by page, and can be slow or in trouble.
 */
export class KeyService {
  readonly #server: Server;
  readonly #keys = new Map<string, IssuedKey>();
  readonly #byIdempotencyKey = new Map<string, IssuedKey>();
  readonly #tokens = new Map<string, IssuedKey>();
  readonly #troubles: { matches: RegExp; statuses: number[] }[] = [];
  readonly #lost: RegExp[] = [];
  readonly #holds: Hold[] = [];
  /** `METHOD /path?query` of every request that was answered or held. */
  readonly requests: string[] = [];
  items: RemoteItem[] = [];
  /** A revoked key is still accepted while this is true: the cache that many services have. */
  acceptsRevoked = false;
  /** `Retry-After` of answers with 429 and 503. */
  retryAfter: string | undefined = undefined;
  /** What `POST /keys` answers instead of a key. */
  oddKeyAnswer: unknown = undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<KeyService> {
    const server = createServer();
    const service = new KeyService(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      service.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** A key that was issued by hand. */
  issue(): { key_id: string; secret: string } {
    const { id, secret } = this.#issue();
    return { key_id: id, secret };
  }

  /** Keys that work, by id. */
  get activeKeys(): string[] {
    return [...this.#keys.values()].filter(({ isRevoked }) => !isRevoked).map(({ id }) => id);
  }

  get issued(): number {
    return this.#keys.size;
  }

  usesOf(keyId: string): number {
    return [...this.#keys.values()].find(({ id }) => id === keyId)?.uses ?? 0;
  }

  revoke(keyId: string): void {
    for (const key of this.#keys.values()) if (key.id === keyId) key.isRevoked = true;
  }

  /** Answers the next requests that match with these statuses, one each. */
  trouble(matches: RegExp, ...statuses: number[]): void {
    this.#troubles.push({ matches, statuses });
  }

  /** Does what the next request that matches asks for, and breaks the connection instead of answering. */
  loseAnswer(matches: RegExp): void {
    this.#lost.push(matches);
  }

  /** Holds the next request that matches; `arrived` settles when it is there. */
  hold(matches: RegExp, point: HoldPoint = 'before'): { arrived: Promise<void>; release: () => void } {
    let release = (): void => undefined;
    let arrive = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    this.#holds.push({ matches, point, arrived: arrive, released });
    return { arrived, release };
  }

  /** How many requests matched. */
  count(matches: RegExp): number {
    return this.requests.filter((line) => matches.test(line)).length;
  }

  #issue(): IssuedKey {
    const key = {
      id: `key_${randomBytes(6).toString('hex')}`,
      secret: `remote_${randomBytes(18).toString('hex')}`,
      isRevoked: false,
      uses: 0,
    };
    this.#keys.set(key.secret, key);
    return key;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    const body = await textOf(request);
    this.requests.push(line);
    await this.#held(line, 'before');
    const trouble = this.#troubles.find(({ matches, statuses }) => statuses.length > 0 && matches.test(line));
    const [status, answer] =
      trouble === undefined ? this.#act(request, body) : [trouble.statuses.shift() ?? 500, { error: 'trouble' }];
    await this.#held(line, 'after');
    const lost = this.#lost.findIndex((matches) => matches.test(line));
    if (lost !== -1) {
      this.#lost.splice(lost, 1);
      response.destroy();
      return;
    }
    const asksToWait = this.retryAfter !== undefined && (status === 429 || status === 503);
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(asksToWait ? { 'retry-after': this.retryAfter } : {}),
    });
    response.end(status === 204 ? undefined : JSON.stringify(answer));
  }

  async #held(line: string, point: HoldPoint): Promise<void> {
    const index = this.#holds.findIndex((hold) => hold.point === point && hold.matches.test(line));
    if (index === -1) return;
    const [hold] = this.#holds.splice(index, 1);
    hold?.arrived();
    await hold?.released;
  }

  #act(request: IncomingMessage, body: string): [number, unknown] {
    const url = new URL(request.url ?? '/', this.url);
    // A first path element of one letter tells integrations apart and means nothing here.
    url.pathname = url.pathname.replace(/^\/[a-z](?=\/)/, '');
    if (url.pathname === '/oauth/token') return this.#token(request, body);
    const key = this.#keyOf(request);
    if (key === null) return [401, { error: 'unauthorized' }];
    key.uses += 1;
    if (url.pathname === '/me') return [200, { ok: true }];
    if (url.pathname === '/records') return this.#page(url);
    if (url.pathname === '/keys' && request.method === 'POST') return this.#create(request);
    if (url.pathname.startsWith('/keys/') && request.method === 'DELETE') return this.#delete(url.pathname.slice(6));
    return [404, { error: 'not found' }];
  }

  #keyOf(request: IncomingMessage): IssuedKey | null {
    const given = request.headers['x-api-key'] ?? request.headers.authorization?.replace(/^Bearer /, '');
    const key = this.#keys.get(String(given)) ?? this.#tokens.get(String(given));
    return key === undefined || (key.isRevoked && !this.acceptsRevoked) ? null : key;
  }

  #token(request: IncomingMessage, body: string): [number, unknown] {
    const form = new URLSearchParams(body);
    const basic = Buffer.from(request.headers.authorization?.replace(/^Basic /, '') ?? '', 'base64').toString();
    const secret = form.get('client_secret') ?? decodeURIComponent(basic.split(':')[1] ?? '');
    const key = this.#keys.get(secret);
    if (key === undefined || (key.isRevoked && !this.acceptsRevoked)) return [401, { error: 'invalid_client' }];
    const token = `token_${randomBytes(12).toString('hex')}`;
    this.#tokens.set(token, key);
    return [200, { access_token: token, token_type: 'Bearer', expires_in: 60 }];
  }

  #page(url: URL): [number, unknown] {
    const limit = Number(url.searchParams.get('limit') ?? 10);
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const next = from + limit < this.items.length ? String(from + limit) : null;
    return [200, { items: this.items.slice(from, from + limit), next_cursor: next }];
  }

  #create(request: IncomingMessage): [number, unknown] {
    if (this.oddKeyAnswer !== undefined) return [201, this.oddKeyAnswer];
    const idempotencyKey = String(request.headers['idempotency-key'] ?? randomBytes(6).toString('hex'));
    const known = this.#byIdempotencyKey.get(idempotencyKey);
    const key = known ?? this.#issue();
    this.#byIdempotencyKey.set(idempotencyKey, key);
    return [known === undefined ? 201 : 200, { id: key.id, key: key.secret }];
  }

  #delete(id: string): [number, unknown] {
    const key = [...this.#keys.values()].find((one) => one.id === decodeURIComponent(id));
    if (key === undefined) return [404, { error: 'no such key' }];
    key.isRevoked = true;
    return [204, null];
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
