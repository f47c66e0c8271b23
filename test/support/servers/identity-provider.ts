import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { JWTPayload } from 'jose';
import { Provider } from 'oidc-provider';

/** A person at the provider. */
export interface ProviderAccount {
  readonly sub: string;
  readonly email: string;
  readonly email_verified: boolean;
}

type SigningKey = Awaited<ReturnType<typeof generateKeyPair>> & { readonly kid: string };

/** What a hostile provider makes of the claims of an ID token. */
type Forgery = (claims: JWTPayload, sign: IdentityProvider['sign']) => Promise<string>;

/** A real OpenID provider on the loopback, whose keys can be changed and whose ID tokens can be forged on the wire. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly client_id: string;
  readonly client_secret: string;
  /** Who signs in next. */
  account: ProviderAccount;
  /** Replaces ID tokens on their way out; null leaves them as they are. */
  forge: Forgery | null;
  /** Signs with the key that is published now. */
  sign(claims: JWTPayload): Promise<string>;
  /** Signs with a key that was published before the last rotation. */
  signWithOldKey(claims: JWTPayload): Promise<string>;
  /** Publishes a new key and forgets the old one. */
  rotate(): Promise<void>;
  /** Follows an authorization address as a browser would. @returns the address it is sent back to. */
  visit(authorizationUrl: string): Promise<URL>;
  close(): Promise<void>;
}

/** Starts the provider; `redirectUri` is the one address it sends browsers back to. */
export async function startIdentityProvider(redirectUri: string): Promise<IdentityProvider> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => void response.end();
  const server = createServer((request, response) => handle(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [client_id, client_secret] = ['castellan', randomUUID()];
  let key = await newKey();
  let oldKey = key;

  const provider: IdentityProvider = {
    issuer,
    client_id,
    client_secret,
    account: { sub: 'nobody', email: 'nobody@example.org', email_verified: false },
    forge: null,
    sign: (claims) => signWith(key, claims),
    signWithOldKey: (claims) => signWith(oldKey, claims),
    rotate: async () => {
      oldKey = key;
      key = await newKey();
      handle = await handlerOf(provider, redirectUri, key);
    },
    visit: (url) => visit(url, redirectUri),
    close: () => new Promise((done) => {
      server.close(() => done());
      server.closeAllConnections();
    }),
  };
  handle = await handlerOf(provider, redirectUri, key);
  return provider;
}

async function newKey(): Promise<SigningKey> {
  return { ...(await generateKeyPair('RS256', { extractable: true })), kid: randomUUID() };
}

function signWith({ privateKey, kid }: SigningKey, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
}

async function handlerOf(own: IdentityProvider, redirectUri: string, key: SigningKey) {
  const jwk = { ...(await exportJWK(key.privateKey)), kid: key.kid, alg: 'RS256', use: 'sig' };
  const provider = new Provider(own.issuer, {
    clients: [
      {
        client_id: own.client_id,
        client_secret: own.client_secret,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    jwks: { keys: [jwk] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    pkce: { required: () => true },
    cookies: { keys: [randomUUID()] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: () => '/interaction' },
    findAccount: (_ctx: unknown, sub: string) => ({ accountId: sub, claims: () => ({ ...own.account, sub }) }),
    loadExistingGrant: async (ctx: { oidc: { client: { clientId: string }; session: { accountId: string } } }) => {
      const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid email');
      await grant.save();
      return grant;
    },
  });
  const standard = provider.callback();
  return (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url?.startsWith('/interaction') === true) {
      void provider.interactionFinished(request, response, { login: { accountId: own.account.sub } });
      return;
    }
    if (request.url?.startsWith('/token') === true && own.forge !== null) forgeAnswer(response, own.forge, own.sign);
    void standard(request, response);
  };
}

/** Exchanges the ID token in the answer; everything else of the exchange stays real. */
function forgeAnswer(response: ServerResponse, forge: Forgery, sign: IdentityProvider['sign']): void {
  const end = response.end.bind(response);
  const replaced = (chunk: unknown): ServerResponse => {
    const body = JSON.parse(String(chunk)) as { id_token: string };
    const claims = JSON.parse(Buffer.from(body.id_token.split('.')[1] ?? '', 'base64url').toString()) as JWTPayload;
    void forge(claims, sign).then((id_token) => {
      const text = JSON.stringify({ ...body, id_token });
      response.setHeader('content-length', Buffer.byteLength(text));
      end(text);
    });
    return response;
  };
  response.end = replaced as ServerResponse['end'];
}

/** Carries cookies from redirect to redirect until the provider sends the browser back. */
async function visit(start: string, redirectUri: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(start);
  for (let hop = 0; hop < 10; hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const separator = pair.indexOf('=');
      cookies.set(pair.slice(0, separator), pair.slice(separator + 1));
    }
    const location = answer.headers.get('location');
    if (location === null) throw new Error(`The provider answered ${answer.status}: ${await answer.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(redirectUri)) return url;
  }
  throw new Error('The provider sent the browser in a circle.');
}
