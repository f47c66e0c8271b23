import { randomBytes, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { systemActor } from '../../../domain/shared/actor.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { tokenHash } from '../../../platform/security/digest.ts';
import { auditRefusal } from '../../../platform/audit/audit-refusal.ts';
import type { OidcProviderConfig } from '../../../platform/env.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { writeInfrastructure } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { linkByEmail } from '../user-identity.service.ts';
import { findLinkedUser } from '../user-identity.repository.ts';
import { openSession, tokenPairOf } from './session.service.ts';
import type { TokenPair } from './session.service.ts';

/** How long a person may take at the provider. */
export const oidcSignInSeconds = 600;

const signInSecrets = z.object({
  state: z.string(),
  nonce: z.string(),
  code_verifier: z.string(),
  browser: z.string(),
});

/** The configured provider of a name. */
export function findProvider(deps: Pick<SignInDeps, 'env'>, name: string): OidcProviderConfig {
  const provider = deps.env.OIDC_PROVIDERS.find((one) => one.name === name);
  if (provider === undefined) throw notFound('identity provider');
  return provider;
}

/** Where the provider sends the browser back to; built from `PUBLIC_URL`, never from the Host header. */
export function callbackUrl(deps: Pick<SignInDeps, 'env'>, provider: string): URL {
  return new URL(`/auth/oidc/${provider}/callback`, deps.env.PUBLIC_URL);
}

/**
 * Begins a sign-in and stores its secrets, sealed, under the digest of its state.
 *
 * @returns where the browser goes, and a handle that only this browser gets: a sign-in that somebody else began cannot
 *   be finished in it (RFC 9700 section 4.7).
 */
export async function beginOidcSignIn(deps: SignInDeps, anonymous: Actor, provider: OidcProviderConfig) {
  const { url, secrets } = await deps.oidc.begin(provider, callbackUrl(deps, provider.name).href);
  const browser = randomBytes(32).toString('base64url');
  const state_hash = tokenHash(secrets.state);
  const sealed = deps.keyring.seal(JSON.stringify({ ...secrets, browser }), sealedPlace(state_hash));
  await writeInfrastructure(deps.db, anonymous, kysely.deleteFrom('oidc_sign_ins').where('expires_at', '<', sql<string>`now()`));
  await writeInfrastructure(
    deps.db,
    anonymous,
    kysely.insertInto('oidc_sign_ins').values({
      state_hash,
      provider: provider.name,
      sealed,
      expires_at: sql<string>`now() + make_interval(secs => ${oidcSignInSeconds})`,
    }),
  );
  return { url, browser };
}

/**
 * Finishes a sign-in: consumes its state, redeems the code, finds the linked person and opens a session.
 *
 * @param returned the address the browser came back with, on our own host.
 * @param browser the handle from the browser's cookie.
 * @throws Problem `auth.oidc-refused`, the same for every reason.
 */
export async function finishOidcSignIn(
  deps: SignInDeps,
  anonymous: Actor,
  provider: OidcProviderConfig,
  { returned, browser }: { readonly returned: URL; readonly browser: string | null },
): Promise<TokenPair> {
  const secrets = await takeSignIn(deps, anonymous, provider, returned.searchParams.get('state') ?? '');
  const isSameBrowser =
    secrets !== null && browser !== null && timingSafeEqual(tokenHash(secrets.browser), tokenHash(browser));
  if (!isSameBrowser) throw refused();
  const actor: Actor = { ...systemActor(provider.tenant_id), ...originOf(anonymous) };
  const person = await deps.oidc.finish(provider, returned, secrets);
  const opened = await unitOfWork(deps.db, actor, async (tx) => {
    const user_id = (await findLinkedUser(tx, person)) ?? (await linkByEmail(tx, person));
    if (user_id === null) return null;
    const session = openSession(tx, deps, { user_id, method: 'oidc' });
    await tx.sql.updateTable('users').set({ last_sign_in_at: sql<string>`now()` }).where('id', '=', user_id).execute();
    tx.audit({
      event: 'session.open',
      action: 'login',
      resource_type: 'session',
      resource_id: session.session_id,
      new_values: { user_id, method: 'oidc', issuer: person.issuer },
    });
    return { user_id, ...session };
  });
  if (opened === null) {
    const entry = { event: 'session.open', action: 'login', resource_type: 'user', resource_id: null } as const;
    await auditRefusal(deps.db, actor, { ...entry, reason: 'auth.oidc-refused' });
    throw refused();
  }
  return tokenPairOf(deps, { user_id: opened.user_id, tenant_id: provider.tenant_id }, opened);
}

/** Takes a sign-in under way out of the table: of any number of callbacks with one state, one gets its secrets. */
async function takeSignIn(deps: SignInDeps, anonymous: Actor, provider: OidcProviderConfig, state: string) {
  const state_hash = tokenHash(state);
  const [row] = await writeInfrastructure(
    deps.db,
    anonymous,
    kysely
      .deleteFrom('oidc_sign_ins')
      .where('state_hash', '=', state_hash)
      .where('provider', '=', provider.name)
      .where('expires_at', '>', sql<string>`now()`)
      .returning('sealed'),
  );
  if (row === undefined) return null;
  return signInSecrets.parse(JSON.parse(deps.keyring.open(row.sealed, sealedPlace(state_hash))));
}

function originOf({ ip, user_agent, request_id, trace_id }: Actor) {
  return { ip, user_agent, request_id, trace_id };
}

function sealedPlace(stateHash: Buffer) {
  return { table: 'oidc_sign_ins', column: 'sealed', row_id: stateHash.toString('base64url') };
}

function refused(): Problem {
  return new Problem({ code: 'auth.oidc-refused', detail: 'Start the sign-in again.' });
}
