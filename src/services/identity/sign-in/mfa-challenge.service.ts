import { randomInt, randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { challengeState, challengeTtlSeconds, maskEmail, maxChallengeAttempts } from '../../../domain/identity/mfa.ts';
import type { MfaMethod } from '../../../entities/identity/mfa.entity.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { mfaProofTtlSeconds } from '../../../platform/security/mfa-token.ts';
import { Problem, notFound } from '../../../platform/problem.ts';
import { read, writeInfrastructure } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import type { ChallengeOwner, CodeVerdict } from './second-factor.service.ts';
import { codeRefused, hasConfirmedFactor, verifyCode, consumeCode, withGuessBudget } from './second-factor.service.ts';

/** What a challenge is to prove: that its owner wants this action with this payload. */
interface ChallengeSubject {
  readonly action: string;
  readonly payload_digest: string;
}

/** A challenge as its owner sees it. */
interface ChallengeView extends ChallengeSubject {
  readonly challenge_id: string;
  readonly method: MfaMethod;
  readonly expires_at: string;
  readonly attempts_left: number;
  /** Where the code was sent, masked; null for an authenticator app. */
  readonly sent_to: string | null;
}

type Deps = Pick<SignInDeps, 'db' | 'keyring' | 'rateLimits' | 'log' | 'now' | 'mailer' | 'mfaTokens'>;

/**
 * Opens a challenge for one action with one payload (S2-44). People with an authenticator app answer with its code; the
 * others are sent six digits by e-mail, of which only a keyed fingerprint is stored.
 *
 * @throws Problem `mfa.not-enrolled` for a person with neither app nor e-mail address.
 */
export async function openChallenge(
  deps: Deps,
  owner: ChallengeOwner,
  subject: ChallengeSubject,
): Promise<ChallengeView> {
  await deps.rateLimits.factorRequest.take(owner.user_id);
  const challengeId = randomUUID();
  const mail = (await hasConfirmedFactor(deps, owner)) ? null : await composeCodeMail(deps, owner, subject);
  const method: MfaMethod = mail === null ? 'totp' : 'email';
  const { expires_at } = await unitOfWork(deps.db, owner, async (tx) => {
    tx.audit({
      event: 'mfa.request',
      action: 'create',
      resource_type: 'mfa_challenge',
      resource_id: challengeId,
      new_values: { ...subject, method },
    });
    return tx.sql
      .insertInto('mfa_challenges')
      .values({
        id: challengeId,
        tenant_id: owner.tenant_id,
        user_id: owner.user_id,
        session_id: owner.session_id,
        ...subject,
        method,
        code_hash: mail === null ? null : deps.keyring.fingerprint(mailedCode(challengeId, mail.code)),
        expires_at: sql<string>`clock_timestamp() + make_interval(secs => ${challengeTtlSeconds})`,
      })
      .returning('expires_at')
      .executeTakeFirstOrThrow();
  });
  if (mail !== null) await deps.mailer.send(mail);
  return {
    challenge_id: challengeId,
    ...subject,
    method,
    expires_at,
    attempts_left: maxChallengeAttempts,
    sent_to: mail === null ? null : maskEmail(mail.to),
  };
}

/**
 * Answers a challenge (S2-45). A right code closes it and gives a token for the action and payload it was opened for; the
 * fifth wrong one locks it.
 *
 * The attempt is counted and committed before the code is verified, so that parallel attempts cannot exceed the limit and
 * a transaction that fails cannot undo the count (CVE-2026-35597 class).
 *
 * @throws Problem `mfa.code-refused` with the attempts left, `mfa.locked`, `mfa.challenge-closed`, or 404.
 */
export async function answerChallenge(
  deps: Deps,
  owner: ChallengeOwner,
  answer: { readonly challenge_id: string; readonly code: string },
): Promise<{ mfa_token: string; expires_in: number }> {
  const challenge = await withGuessBudget(deps, owner, async () => {
    const counted = await countAttempt(deps, owner, answer.challenge_id);
    const verdict = await verifyAnswer(deps, owner, counted, answer.code);
    if (verdict.kind === 'refused') {
      if (verdict.refusal === 'wrong' && counted.attempts >= maxChallengeAttempts) {
        await lockChallenge(deps, owner, counted.id);
      }
      throw codeRefused(verdict.refusal, { attempts_left: maxChallengeAttempts - counted.attempts });
    }
    await closeChallenge(deps, owner, counted, verdict);
    return counted;
  });
  const { id, action, payload_digest } = challenge;
  const binding = { user_id: owner.user_id, session_id: owner.session_id, action, payload_digest };
  const { token, expires_in_seconds } = await deps.mfaTokens.issue(binding, id);
  return { mfa_token: token, expires_in: expires_in_seconds };
}

interface CountedAttempt extends ChallengeSubject {
  readonly id: string;
  readonly method: MfaMethod;
  readonly code_hash: string | null;
  /** Attempts so far, this one included. */
  readonly attempts: number;
}

/** Counts an attempt on an open challenge of this person and session. @throws Problem why none is possible. */
async function countAttempt(deps: Pick<Deps, 'db' | 'now'>, owner: ChallengeOwner, id: string): Promise<CountedAttempt> {
  const [counted] = await writeInfrastructure(
    deps.db,
    owner,
    kysely
      .updateTable('mfa_challenges')
      .set((eb) => ({ attempts: eb('attempts', '+', 1) }))
      .where('id', '=', id)
      .where('user_id', '=', owner.user_id)
      .where('session_id', '=', owner.session_id)
      .where('attempts', '<', maxChallengeAttempts)
      .where('locked_at', 'is', null)
      .where('verified_at', 'is', null)
      .where('expires_at', '>', sql<string>`clock_timestamp()`)
      .returning(['id', 'action', 'payload_digest', 'method', 'code_hash', 'attempts'])
      // A proof by password belongs to no session.
      .$narrowType<{ method: MfaMethod }>(),
  );
  if (counted !== undefined) return counted;
  const [found] = await read(
    deps.db,
    owner,
    kysely
      .selectFrom('mfa_challenges')
      .where('id', '=', id)
      .where('user_id', '=', owner.user_id)
      .where('session_id', '=', owner.session_id)
      .select(['attempts', 'locked_at', 'verified_at', 'expires_at']),
  );
  if (found === undefined) throw notFound('challenge');
  if (challengeState(found, deps.now()) === 'locked') {
    throw new Problem({ code: 'mfa.locked', detail: 'This challenge had too many wrong codes. Request a new one.' });
  }
  throw new Problem({
    code: 'mfa.challenge-closed',
    detail: 'This challenge is answered or has expired. Request a new one.',
  });
}

/** What a code turned out to be: one of the app, a recovery code, or the one that was mailed. */
type AnswerVerdict = CodeVerdict | { readonly kind: 'mailed' };

async function verifyAnswer(
  deps: Pick<Deps, 'db' | 'keyring' | 'now'>,
  owner: ChallengeOwner,
  challenge: CountedAttempt,
  code: string,
): Promise<AnswerVerdict> {
  if (challenge.method === 'totp') return verifyCode(deps, owner, { code, purpose: 'stepUp' });
  const isMailedCode = deps.keyring.matchesFingerprint(mailedCode(challenge.id, code), challenge.code_hash ?? '');
  return isMailedCode ? { kind: 'mailed' } : { kind: 'refused', refusal: 'wrong' };
}

/** Closes the challenge and consumes the code in one transaction, and notes the proof with the session. */
async function closeChallenge(
  deps: Pick<Deps, 'db'>,
  owner: ChallengeOwner,
  challenge: CountedAttempt,
  verdict: Exclude<AnswerVerdict, { kind: 'refused' }>,
): Promise<void> {
  await unitOfWork(deps.db, owner, async (tx) => {
    if (verdict.kind !== 'mailed') await consumeCode(tx, verdict);
    const now = sql<string>`clock_timestamp()`;
    const closed = await tx.sql
      .updateTable('mfa_challenges')
      .set({
        verified_at: now,
        proof_expires_at: sql<string>`clock_timestamp() + make_interval(secs => ${mfaProofTtlSeconds})`,
      })
      .where('id', '=', challenge.id)
      .where('verified_at', 'is', null)
      .where('locked_at', 'is', null)
      .where('expires_at', '>', now)
      .returning('id')
      .executeTakeFirst();
    if (closed === undefined) throw codeRefused('used');
    await tx.sql.updateTable('sessions').set({ mfa_at: now }).where('id', '=', owner.session_id).execute();
    tx.audit({
      event: 'mfa.verify',
      action: 'update',
      resource_type: 'mfa_challenge',
      resource_id: challenge.id,
      new_values: { action: challenge.action, payload_digest: challenge.payload_digest, proved_by: verdict.kind },
    });
  });
}

/** Locks the challenge for good, with an audit event of its own (S2-69). @throws Problem `mfa.locked` always. */
async function lockChallenge(deps: Pick<Deps, 'db'>, owner: ChallengeOwner, id: string): Promise<never> {
  await unitOfWork(deps.db, owner, async (tx) => {
    await tx.sql
      .updateTable('mfa_challenges')
      .set({ locked_at: sql<string>`clock_timestamp()` })
      .where('id', '=', id)
      .where('locked_at', 'is', null)
      .execute();
    tx.audit({
      event: 'mfa.lock',
      action: 'update',
      resource_type: 'mfa_challenge',
      resource_id: id,
      outcome: 'refused',
      reason: 'mfa.locked',
      new_values: { attempts: maxChallengeAttempts },
    });
  });
  throw new Problem({
    code: 'mfa.locked',
    detail: 'That was the last attempt for this challenge. Request a new one.',
    // `withGuessBudget` reads the reason: this was a wrong guess too.
    members: { reason: 'wrong', attempts_left: 0 },
  });
}

interface CodeMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly code: string;
}

async function composeCodeMail(
  deps: Pick<Deps, 'db'>,
  owner: ChallengeOwner,
  { action }: ChallengeSubject,
): Promise<CodeMail> {
  const [person] = await read(
    deps.db,
    owner,
    kysely.selectFrom('users').where('id', '=', owner.user_id).select('email'),
  );
  const to = person?.email ?? null;
  if (to === null) {
    throw new Problem({
      code: 'mfa.not-enrolled',
      detail: 'Set up an authenticator app with POST /auth/totp/setup: there is no e-mail address to send a code to.',
    });
  }
  const code = randomInt(1_000_000).toString().padStart(6, '0');
  const minutes = challengeTtlSeconds / 60;
  const text =
    `Your code is ${code}\n\nIt confirms the action "${action}" and is good for ${minutes} minutes, once.\n` +
    'If you did not ask for it, somebody else is signed in as you: end your sessions and change your password.\n';
  return { to, subject: 'Your Castellan confirmation code', text, code };
}

/** Bound to its challenge, so that the fingerprints of equal digits differ between challenges. */
function mailedCode(challengeId: string, code: string): string {
  return `mfa-challenge/${challengeId}/${code}`;
}
