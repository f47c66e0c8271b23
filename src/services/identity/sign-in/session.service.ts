import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { superAdminCode } from '../../../domain/identity/system-roles.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import type { SessionMethod } from '../../../entities/identity/session.entity.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { rightsOf } from '../role/effective-rights.service.ts';
import { revokeSessions } from './revoke-sessions.service.ts';
import { uuidBytes, uuidText } from './uuid-bytes.ts';

/** What a client gets at sign-in and at every refresh. */
export interface TokenPair {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly session_id: string;
}

/** Tenant id, session id, 32 random bytes; with the ids every look-up is one of a tenant, by primary key. */
const tokenBytes = 16 + 16 + 32;

interface RefreshToken {
  readonly text: string;
  readonly hash: Buffer;
}

function newRefreshToken(tenantId: string, sessionId: string): RefreshToken {
  const bytes = Buffer.concat([uuidBytes(tenantId), uuidBytes(sessionId), randomBytes(32)]);
  return { text: bytes.toString('base64url'), hash: createHash('sha256').update(bytes).digest() };
}

/**
 * Opens a session: its row and its first refresh token.
 *
 * @returns what {@link tokenPairOf} needs; the access token is signed after the commit.
 */
export function openSession(
  tx: Tx,
  deps: Pick<SignInDeps, 'env'>,
  user: { readonly user_id: string; readonly method: SessionMethod },
): { session_id: string; refresh: RefreshToken } {
  const session_id = randomUUID();
  const { tenant_id, ip, user_agent } = tx.actor;
  const expires_at = sql<string>`now() + make_interval(secs => ${deps.env.REFRESH_TOKEN_TTL_SECONDS})`;
  tx.defer(
    tx.sql
      .insertInto('sessions')
      .values({ id: session_id, tenant_id, user_id: user.user_id, method: user.method, ip, user_agent, expires_at }),
  );
  const refresh = newRefreshToken(tenant_id, session_id);
  tx.defer(tx.sql.insertInto('refresh_tokens').values({ token_hash: refresh.hash, tenant_id, session_id, expires_at }));
  return { session_id, refresh };
}

/** Signs the access token and joins it with the refresh token. */
export async function tokenPairOf(
  deps: Pick<SignInDeps, 'accessTokens'>,
  user: { readonly user_id: string; readonly tenant_id: string },
  session: { readonly session_id: string; readonly refresh: RefreshToken },
): Promise<TokenPair> {
  const { token, expires_in_seconds } = await deps.accessTokens.issue({ ...user, session_id: session.session_id });
  return {
    access_token: token,
    token_type: 'Bearer',
    expires_in: expires_in_seconds,
    refresh_token: session.refresh.text,
    session_id: session.session_id,
  };
}

/**
 * Exchanges a refresh token for a new pair. One that was used before is known to somebody else, so its whole family is
 * revoked: the session ends (RFC 9700 section 4.14.2).
 *
 * @throws Problem `auth.refresh-refused`, the same for every reason.
 */
export async function refreshSession(deps: SignInDeps, anonymous: Actor, text: string): Promise<TokenPair> {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length !== tokenBytes) throw refreshRefused();
  const tenant_id = uuidText(bytes.subarray(0, 16));
  const session_id = uuidText(bytes.subarray(16, 32));
  const token_hash = createHash('sha256').update(bytes).digest();
  const actor: Actor = { ...anonymous, tenant_id, session_id };
  const outcome = await unitOfWork(deps.db, actor, async (tx) => {
    const used = await tx.sql
      .updateTable('refresh_tokens as r')
      .from('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .set({ used_at: sql<string>`now()` })
      .whereRef('s.id', '=', 'r.session_id')
      .where('r.token_hash', '=', token_hash)
      .where('r.session_id', '=', session_id)
      .where('r.used_at', 'is', null)
      .where('r.expires_at', '>', sql<string>`now()`)
      .where('s.revoked_at', 'is', null)
      .where('s.expires_at', '>', sql<string>`now()`)
      .where('u.status', '=', 'active')
      .returning('s.user_id')
      .executeTakeFirst();
    if (used === undefined) return endFamilyOnReuse(tx, token_hash, session_id);
    const refresh = newRefreshToken(tenant_id, session_id);
    const expires_at = sql<string>`now() + make_interval(secs => ${deps.env.REFRESH_TOKEN_TTL_SECONDS})`;
    await tx.sql
      .insertInto('refresh_tokens')
      .values({ token_hash: refresh.hash, tenant_id, session_id, expires_at })
      .execute();
    await tx.sql
      .updateTable('sessions')
      .set({ last_used_at: sql<string>`now()`, expires_at })
      .where('id', '=', session_id)
      .execute();
    return { user_id: used.user_id, refresh };
  });
  if (outcome === null) throw refreshRefused();
  return tokenPairOf(deps, { user_id: outcome.user_id, tenant_id }, { session_id, refresh: outcome.refresh });
}

async function endFamilyOnReuse(tx: Tx, token_hash: Buffer, sessionId: string): Promise<null> {
  const known = await tx.sql
    .selectFrom('refresh_tokens as r')
    .innerJoin('sessions as s', 's.id', 'r.session_id')
    .where('r.token_hash', '=', token_hash)
    .where('r.used_at', 'is not', null)
    .where('s.revoked_at', 'is', null)
    .select('s.user_id')
    .executeTakeFirst();
  if (known === undefined) return null;
  await revokeSessions(tx, { session_id: sessionId }, 'refresh_reuse');
  tx.audit({
    event: 'session.refresh-reuse',
    action: 'logout',
    resource_type: 'session',
    resource_id: sessionId,
    new_values: { user_id: known.user_id, revoke_reason: 'refresh_reuse' },
  });
  return null;
}

function refreshRefused(): Problem {
  return new Problem({ code: 'auth.refresh-refused', detail: 'Sign in again.' });
}

/** Ends the session of the caller. */
export async function signOut(tx: Tx): Promise<void> {
  const { session_id } = tx.actor;
  await revokeSessions(tx, { session_id: session_id ?? '' }, 'sign_out');
  tx.audit({ event: 'session.end', action: 'logout', resource_type: 'session', resource_id: session_id });
}

/**
 * Ends every session of a person.
 *
 * @returns how many.
 * @throws Problem 404, or `user.exceeds-own` for a super admin whom somebody else would sign out (S4-26).
 */
export async function forceLogout(tx: Tx, userId: string): Promise<number> {
  const user = await tx.sql.selectFrom('users').where('id', '=', userId).select('id').executeTakeFirst();
  if (user === undefined) throw notFound('user');
  const isSuperAdmin = (await rightsOf(tx, userId)).roles.includes(superAdminCode);
  if (isSuperAdmin && !tx.actor.roles.includes(superAdminCode)) {
    throw new Problem({
      code: 'user.exceeds-own',
      detail: 'Only a super admin can end the sessions of a super admin.',
    });
  }
  const ended = await revokeSessions(tx, { user_id: userId }, 'forced');
  tx.audit({
    event: 'session.force-logout',
    action: 'logout',
    resource_type: 'user',
    resource_id: userId,
    new_values: { sessions_ended: ended },
  });
  return ended.length;
}
