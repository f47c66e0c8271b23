import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { systemActor } from '../../../domain/shared/actor.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { ExternalIdentity, ExternalIssuers } from '../../../platform/security/external-issuer.ts';
import { Problem } from '../../../platform/problem.ts';
import { read } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { ProcessDeps } from '../../../platform/process-deps.ts';
import { findLinkedUser } from '../user-identity.repository.ts';

interface Deps extends Pick<ProcessDeps, 'db' | 'now'> {
  readonly externalIssuers: ExternalIssuers;
}

/** Where a request came from, for the session and the audit. */
type Origin = Pick<Actor, 'ip' | 'user_agent' | 'request_id' | 'trace_id'>;

interface BearerSession {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly session_id: string;
}

/** How long the mirror of an issuer's session is valid after its last token was seen. */
const mirrorSeconds = 12 * 3600;

/**
 * The session that mirrors an external issuer's own, so that force logout and deactivation take effect on the
 * issuer's tokens too. One mirror an issuer session, or one a subject and time bucket when the token names no session.
 *
 * @throws Problem `auth.required` when the token is bad or no person of the tenant is linked to its subject.
 */
export async function findBearerSession(deps: Deps, token: string, origin: Origin): Promise<BearerSession> {
  const identity = await deps.externalIssuers.verify(token);
  const scope = { tenant_id: identity.tenant_id, user_id: null };
  const external_key = mirrorKey(identity);
  const [found] = await read(
    deps.db,
    scope,
    kysely
      .selectFrom('sessions as s')
      .where('s.external_key', '=', external_key)
      .select(['s.id', 's.user_id', 's.revoked_at', 's.expires_at']),
  );
  // A revoked mirror stays revoked; one that has expired is renewed, because the issuer's own session goes on.
  const isUsable = found !== undefined && (found.revoked_at !== null || Date.parse(found.expires_at) > deps.now());
  if (isUsable) return { tenant_id: identity.tenant_id, user_id: found.user_id, session_id: found.id };
  return openMirror(deps, identity, external_key, origin);
}

async function openMirror(
  deps: Deps,
  identity: ExternalIdentity,
  external_key: string,
  { ip, user_agent, request_id, trace_id }: Origin,
): Promise<BearerSession> {
  const { tenant_id, issuer, subject } = identity;
  const actor = { ...systemActor(tenant_id), ip, user_agent, request_id, trace_id };
  return unitOfWork(deps.db, actor, async (tx) => {
    const user_id = await findLinkedUser(tx, { issuer, subject });
    if (user_id === null) throw new Problem({ code: 'auth.required', detail: 'The access token is not valid.' });
    const opened = await tx.sql
      .insertInto('sessions')
      .values({
        tenant_id,
        user_id,
        method: 'bearer',
        ip,
        user_agent,
        external_key,
        expires_at: sql<string>`now() + make_interval(secs => ${mirrorSeconds})`,
      })
      // Two first requests with one token race; both must get the same mirror.
      .onConflict((conflict) =>
        conflict
          .columns(['tenant_id', 'external_key'])
          .where('external_key', 'is not', null)
          .doUpdateSet({ last_used_at: sql<string>`now()`, expires_at: sql<string>`excluded.expires_at` }),
      )
      .returning('id')
      .executeTakeFirstOrThrow();
    tx.audit({
      event: 'session.open',
      action: 'login',
      resource_type: 'session',
      resource_id: opened.id,
      new_values: { user_id, method: 'bearer', issuer },
    });
    return { tenant_id, user_id, session_id: opened.id };
  });
}

/** A digest that names the issuer's session: the value itself is a credential at the issuer and is not stored. */
function mirrorKey({ issuer, subject, session, issued_at }: ExternalIdentity): string {
  // A token without `sid` names the account and not the sign-in. All tokens that the issuer makes for it within one bucket
  // of time share a mirror: revoked by force, it stays so for them, and the browser's next token, a minute later, does not
  // open a new session. The person gets in again with a token of the next bucket, 12 hours later at the most, or at once
  // when the issuer is configured to send `sid`.
  const own = session ?? `at:${Math.floor(issued_at / mirrorSeconds)}`;
  return createHash('sha256').update(JSON.stringify([issuer, subject, own])).digest('base64url');
}
