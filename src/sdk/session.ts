import type { components } from './openapi.types.ts';

/** What a sign-in gives. */
export type TokenPair = components['schemas']['TokenPair'];

/** What a client needs to keep of a session. */
export type SessionTokens = Pick<TokenPair, 'access_token' | 'refresh_token'>;

type Fetch = (request: Request) => Promise<Response>;

interface SessionOptions {
  readonly fetch: Fetch;
  /** Exchanges the refresh token; null when it was refused. */
  readonly refresh: (refreshToken: string) => Promise<SessionTokens | null>;
  /** Called whenever the tokens change, to store them; null after the session has ended. */
  readonly onTokens: (tokens: SessionTokens | null) => void;
}

/**
 * Sends requests with the access token of one session. On 401 the token is refreshed and the request repeated, once.
 *
 * A refresh token works a single time and its reuse ends the session, so concurrent requests share one refresh.
 */
export class Session {
  readonly #options: SessionOptions;
  #tokens: SessionTokens | null;
  #refreshing: Promise<void> | null = null;

  constructor(tokens: SessionTokens | null, options: SessionOptions) {
    this.#tokens = tokens;
    this.#options = options;
  }

  get tokens(): SessionTokens | null {
    return this.#tokens;
  }

  set tokens(tokens: SessionTokens | null) {
    this.#tokens = tokens;
    this.#options.onTokens(tokens);
  }

  /** `fetch` with authorization; a request that carries its own Authorization is sent as it is. */
  async fetch(request: Request): Promise<Response> {
    const sent = this.#tokens;
    if (sent === null || request.headers.has('authorization')) return this.#options.fetch(request);
    // A body can be read once; the copy is for the repetition.
    const repetition = request.clone();
    const response = await this.#options.fetch(authorized(request, sent));
    if (response.status !== 401) return response;
    await this.#renew(sent);
    const renewed = this.#tokens;
    if (renewed === null) return response;
    await response.body?.cancel();
    return this.#options.fetch(authorized(repetition, renewed));
  }

  /** Refreshes unless a concurrent request has done so since `sent` was current. */
  async #renew(sent: SessionTokens): Promise<void> {
    if (this.#tokens !== sent) return;
    this.#refreshing ??= this.#options
      .refresh(sent.refresh_token)
      .then((tokens) => {
        this.tokens = tokens;
      })
      .finally(() => {
        this.#refreshing = null;
      });
    await this.#refreshing;
  }
}

function authorized(request: Request, { access_token }: SessionTokens): Request {
  request.headers.set('authorization', `Bearer ${access_token}`);
  return request;
}
