import { sql } from 'kysely';
import { z } from 'zod';
import type { Actor } from '../../domain/shared/actor.ts';
import { type SigningKeyring, type TokenKind, signToken, verifyToken } from './access-token.ts';
import { Problem } from '../problem.ts';
import type { Tx } from '../database/unit-of-work.ts';
import { uuid } from '../value-schemas.ts';

/** A verified factor proof; it is consumed in the transaction of the change it was made for (S2-69). */
export interface MfaProof {
  readonly challenge_id: string;
  /** For a handler that passes the proof to a workflow, whose activity then consumes it. */
  delegate(): string;
}

/**
 * The id of a factor proof that is passed to a workflow.
 *
 * @throws Error when the route that calls is not gated by a factor.
 */
export function delegateProof(mfa: MfaProof | null): string {
  if (mfa === null) throw new Error('A route that hands its proof on must be gated by mfa.');
  return mfa.delegate();
}

/** How long a proof may be used for the change it was asked for, in seconds (S2-69). */
export const mfaProofTtlSeconds = 300;

/** What a factor proof is bound to: this person, in this session, for this action with exactly this request. */
export interface MfaBinding {
  readonly user_id: string;
  readonly session_id: string;
  /** Name of the action or operation, e.g. `flag.toggle`. */
  readonly action: string;
  /** Hex SHA-256 of the canonical request (RFC 8785): its input, and the version that it is built on. */
  readonly payload_digest: string;
}

/** Issues and verifies the tokens by which a caller proves that a challenge was answered. */
export interface MfaTokens {
  issue(binding: MfaBinding, challengeId: string): Promise<{ token: string; expires_in_seconds: number }>;
  /**
   * The challenge's id when the token is ours, unexpired and of exactly this binding; null otherwise. Whether the proof was
   * used before is checked by {@link consumeMfaProof}.
   */
  verify(token: string, expected: MfaBinding): Promise<string | null>;
}

const mfaClaims = z.object({ sub: uuid, sid: uuid, act: z.string(), dig: z.string(), jti: uuid });

/**
 * Creates the issuer and verifier of the proofs of one deployment: `typ: mfa+jwt` with an audience of its own, so that
 * neither kind of token is accepted as the other.
 *
 * @param options.issuer `PUBLIC_URL`
 * @param options.now clock in milliseconds; the system's when left out
 */
export function createMfaTokens(options: { keyring: SigningKeyring; issuer: string; now?: () => number }): MfaTokens {
  const { keyring, now = Date.now } = options;
  const kind: TokenKind = { typ: 'mfa+jwt', issuer: options.issuer, audience: `${options.issuer}/mfa` };
  return {
    async issue({ user_id, session_id, action, payload_digest }, challengeId) {
      const claims = { sub: user_id, sid: session_id, act: action, dig: payload_digest, jti: challengeId };
      const token = await signToken(keyring, kind, claims, { now: now(), ttlSeconds: mfaProofTtlSeconds });
      return { token, expires_in_seconds: mfaProofTtlSeconds };
    },

    async verify(token, expected) {
      try {
        const { sub, sid, act, dig, jti } = await verifyToken(keyring, kind, mfaClaims, { token, now: now() });
        const isBound =
          sub === expected.user_id &&
          sid === expected.session_id &&
          act === expected.action &&
          dig === expected.payload_digest;
        return isBound ? jti : null;
      } catch {
        // Forged, expired, or no token at all: the gate treats all of them as a missing proof.
        return null;
      }
    },
  };
}

/**
 * Consumes a proof in the transaction of the change it protects: both are committed or neither is, and of any number of
 * concurrent uses one succeeds.
 *
 * @param actor whose proof it must be; in an activity, the person on whose behalf it runs
 * @param expected action and payload digest, where the caller has not compared them with a token already
 * @throws Problem 403 `mfa.required` when the proof is used, too old, or was made for something else
 */
export async function consumeMfaProof(
  tx: Tx,
  challengeId: string,
  actor: Pick<Actor, 'user_id' | 'session_id'>,
  expected?: Pick<MfaBinding, 'action' | 'payload_digest'>,
): Promise<void> {
  const { user_id, session_id } = actor;
  if (user_id === null || session_id === null) {
    throw proofRefused();
  }
  const now = sql<string>`clock_timestamp()`;
  const consumed = await tx.sql
    .updateTable('mfa_challenges')
    .set({ consumed_at: now })
    .where('id', '=', challengeId)
    .where('user_id', '=', user_id)
    .where('session_id', '=', session_id)
    .where('consumed_at', 'is', null)
    .where('proof_expires_at', '>', now)
    .where((eb) => eb.and({ action: expected?.action, payload_digest: expected?.payload_digest }))
    .returning('id')
    .executeTakeFirst();
  if (consumed === undefined) {
    throw proofRefused();
  }
}

/** A request that is refused leaves its proof usable; so many of them use it up. */
const maxRefusedUses = 3;

/**
 * Counts a request that was refused though it had a proof, used or not. The third uses the proof up: a proof lets its owner
 * act once, and correct a mistake or two, and is no ticket for requests that cost us much and him nothing.
 */
export async function countRefusedUse(tx: Tx, challengeId: string, { user_id, session_id }: ProofOwner): Promise<void> {
  const now = sql<string>`clock_timestamp()`;
  const counted = await tx.sql
    .updateTable('mfa_challenges')
    .set((eb) => ({
      refused_uses: eb('refused_uses', '+', 1),
      consumed_at: sql<string | null>`case when refused_uses + 1 < ${maxRefusedUses} then consumed_at else coalesce(consumed_at, ${now}) end`,
    }))
    .where('id', '=', challengeId)
    .where('user_id', '=', user_id)
    .where('session_id', '=', session_id)
    .where('refused_uses', '<', maxRefusedUses)
    .returning(['refused_uses', 'action', 'payload_digest'])
    .executeTakeFirst();
  if (counted === undefined || counted.refused_uses < maxRefusedUses) return;
  tx.audit({
    event: 'mfa.used-up',
    action: 'update',
    resource_type: 'mfa_challenge',
    resource_id: challengeId,
    outcome: 'refused',
    reason: 'mfa.required',
    new_values: counted,
  });
}

/**
 * For a change that has costly work before the transaction that consumes its proof.
 *
 * @throws Problem 403 `mfa.required` when refused requests have used the proof up. One that was consumed may belong to a
 *   repetition, which the transaction knows.
 */
export async function assertNotUsedUp(tx: Tx, challengeId: string, { user_id, session_id }: ProofOwner): Promise<void> {
  const usable = await tx.sql
    .selectFrom('mfa_challenges')
    .where('id', '=', challengeId)
    .where('user_id', '=', user_id)
    .where('session_id', '=', session_id)
    .where('refused_uses', '<', maxRefusedUses)
    .select('id')
    .executeTakeFirst();
  if (usable === undefined) throw proofRefused();
}

type ProofOwner = Pick<Actor, 'user_id' | 'session_id'>;

function proofRefused(): Problem {
  return new Problem({
    code: 'mfa.required',
    detail: 'This factor proof was used already or has expired. Request a new code.',
  });
}
