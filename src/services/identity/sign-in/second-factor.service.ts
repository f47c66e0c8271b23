import { sql } from 'kysely';
import type { Actor } from '../../../domain/shared/actor.ts';
import { isShortCode } from '../../../domain/identity/mfa.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import type { SecretPlace } from '../../../platform/security/keyring.ts';
import { Problem } from '../../../platform/problem.ts';
import { read } from '../../../platform/database/read.ts';
import { hashRecoveryCode } from '../../../platform/security/recovery-codes.ts';
import { matchTotpStep, totpStepsBack } from '../../../platform/security/totp.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';

/** What a code is asked for; it decides how old the code may be. */
type FactorPurpose = keyof typeof totpStepsBack;

/** The person whose factor is verified. */
export type FactorOwner = Actor & { readonly user_id: string };

/** A signed-in person: a challenge belongs to a session. */
export type ChallengeOwner = FactorOwner & { readonly session_id: string };

/**
 * The caller as the owner of factors and challenges.
 *
 * @throws Problem `auth.forbidden` for service tokens and jobs, which have no factor.
 */
export function factorOwner(actor: Actor): ChallengeOwner {
  const { kind, user_id, session_id } = actor;
  if (kind !== 'user' || user_id === null || session_id === null) {
    throw new Problem({ code: 'auth.forbidden', detail: 'Only signed-in users have a second factor.' });
  }
  return { ...actor, user_id, session_id };
}

/** Why a code is refused. Only `wrong` can be a guess. */
export type CodeRefusal = 'wrong' | 'late' | 'used';

/** What a code was verified as; nothing is consumed yet. */
export type CodeVerdict =
  | { readonly kind: 'totp'; readonly factor_id: string; readonly step: number }
  | { readonly kind: 'recovery'; readonly recovery_code_id: string }
  | { readonly kind: 'refused'; readonly refusal: CodeRefusal };

type Deps = Pick<SignInDeps, 'db' | 'keyring' | 'rateLimits' | 'log' | 'now'>;

const refusalDetail: Readonly<Record<CodeRefusal, string>> = {
  wrong: 'The code is wrong.',
  late: 'The code has expired. Use the current one.',
  used: 'The code was used already. Wait for the next one.',
};

/** The place that a sealed TOTP secret is bound to. */
export function factorSecretPlace(factorId: string): SecretPlace {
  return { table: 'mfa_factors', column: 'secret_ciphertext', row_id: factorId };
}

/** The problem of a refused code, with the reason in words the person can act on. */
export function codeRefused(reason: CodeRefusal, members: Record<string, unknown> = {}): Problem {
  return new Problem({ code: 'mfa.code-refused', detail: refusalDetail[reason], members: { reason, ...members } });
}

/** True when the person has an authenticator app in use: then no other kind of proof is offered. */
export async function hasConfirmedFactor(
  deps: Pick<SignInDeps, 'db'>,
  person: { readonly tenant_id: string; readonly user_id: string },
): Promise<boolean> {
  const factors = await read(
    deps.db,
    person,
    kysely
      .selectFrom('mfa_factors')
      .where('user_id', '=', person.user_id)
      .where('confirmed_at', 'is not', null)
      .select('id'),
  );
  return factors.length > 0;
}

/** True for somebody who could prove a second factor now: with an app, or by a code to an address that mail can be sent to. */
export async function canProveFactor(deps: Pick<SignInDeps, 'db' | 'mailer'>, owner: ChallengeOwner): Promise<boolean> {
  const [person] = await read(deps.db, owner, kysely.selectFrom('users').where('id', '=', owner.user_id).select('email'));
  if (typeof person?.email === 'string' && deps.mailer.kind !== 'none') return true;
  return hasConfirmedFactor(deps, owner);
}

/**
 * Verifies a code of the person's app, or a recovery code, and consumes it in the same transaction as `work`: of any
 * number of concurrent uses, in any number of processes, one succeeds (RFC 6238 §5.2).
 *
 * Every attempt is first counted against the person's hourly budget, in a statement of its own, and given back when it was
 * no wrong guess: wrong codes count on every route, in parallel and although their transactions are rolled back.
 *
 * @throws Problem `mfa.code-refused`, `mfa.locked` when the budget is used up, 503 when it cannot be counted.
 */
export async function proveFactor<Result>(
  deps: Deps,
  owner: FactorOwner,
  proof: { readonly code: string; readonly purpose: FactorPurpose },
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  return withGuessBudget(deps, owner, async () => {
    const verdict = await verifyCode(deps, owner, proof);
    if (verdict.kind === 'refused') throw codeRefused(verdict.refusal);
    return unitOfWork(deps.db, owner, async (tx) => {
      await consumeCode(tx, verdict);
      return work(tx);
    });
  });
}

/**
 * Counts one attempt against the person's hourly budget of wrong codes and gives it back unless `attempt` ends in one.
 *
 * @throws Problem `mfa.locked` (429 with Retry-After) when the budget is used up.
 */
export async function withGuessBudget<Result>(
  deps: Pick<Deps, 'rateLimits' | 'log'>,
  owner: FactorOwner,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const budget = deps.rateLimits.factorGuess;
  const key = owner.user_id;
  await budget.take(key).catch((error: unknown) => {
    throw error instanceof Problem && error.code === 'request.rate-limited' ? budgetUsedUp(error) : error;
  });
  let isWrongGuess = false;
  try {
    return await attempt();
  } catch (error) {
    isWrongGuess = error instanceof Problem && error.members['reason'] === ('wrong' satisfies CodeRefusal);
    throw error;
  } finally {
    // A count that stays too high errs on the safe side and expires with its hour.
    if (!isWrongGuess) {
      await budget.giveBack(key).catch((error: unknown) => deps.log.warn({ err: error }, 'an attempt could not be refunded to the rate limit'));
    }
  }
}

/** Verifies a code without consuming it. */
export async function verifyCode(
  deps: Pick<Deps, 'db' | 'keyring' | 'now'>,
  owner: FactorOwner,
  { code, purpose }: { readonly code: string; readonly purpose: FactorPurpose },
): Promise<CodeVerdict> {
  return isShortCode(code) ? verifyTotpCode(deps, owner, code, purpose) : verifyRecoveryCode(deps, owner, code);
}

async function verifyTotpCode(
  deps: Pick<Deps, 'db' | 'keyring' | 'now'>,
  owner: FactorOwner,
  code: string,
  purpose: FactorPurpose,
): Promise<CodeVerdict> {
  const [factor] = await read(
    deps.db,
    owner,
    kysely
      .selectFrom('mfa_factors')
      .where('user_id', '=', owner.user_id)
      .where('confirmed_at', 'is not', null)
      .select(['id', 'secret_ciphertext', 'last_step']),
  );
  if (factor === undefined) return { kind: 'refused', refusal: 'wrong' };
  const secret = deps.keyring.open(factor.secret_ciphertext, factorSecretPlace(factor.id));
  const attempt = { secret, code, nowMs: deps.now() };
  const step = matchTotpStep({ ...attempt, stepsBack: totpStepsBack[purpose] });
  if (step === null) {
    // The code before the oldest accepted one: useless to an attacker, and its owner should not read that it is wrong.
    const late = matchTotpStep({ ...attempt, stepsBack: totpStepsBack[purpose] + 1 });
    return { kind: 'refused', refusal: late === null ? 'wrong' : 'late' };
  }
  return step <= factor.last_step ? { kind: 'refused', refusal: 'used' } : { kind: 'totp', factor_id: factor.id, step };
}

async function verifyRecoveryCode(deps: Pick<Deps, 'db'>, owner: FactorOwner, code: string): Promise<CodeVerdict> {
  const [found] = await read(
    deps.db,
    owner,
    kysely
      .selectFrom('mfa_recovery_codes')
      .where('user_id', '=', owner.user_id)
      .where('code_hash', '=', hashRecoveryCode(code))
      .select(['id', 'used_at']),
  );
  if (found === undefined) return { kind: 'refused', refusal: 'wrong' };
  return found.used_at === null
    ? { kind: 'recovery', recovery_code_id: found.id }
    : { kind: 'refused', refusal: 'used' };
}

/**
 * Consumes a code by one conditional update.
 *
 * @throws Problem `mfa.code-refused` when another request was faster.
 */
export async function consumeCode(tx: Tx, verdict: Exclude<CodeVerdict, { kind: 'refused' }>): Promise<void> {
  const consumed = await (verdict.kind === 'totp'
    ? tx.sql
        .updateTable('mfa_factors')
        .set({ last_step: verdict.step })
        .where('id', '=', verdict.factor_id)
        .where('last_step', '<', verdict.step)
        .returning('id')
        .executeTakeFirst()
    : tx.sql
        .updateTable('mfa_recovery_codes')
        .set({ used_at: sql<string>`clock_timestamp()` })
        .where('id', '=', verdict.recovery_code_id)
        .where('used_at', 'is', null)
        .returning('id')
        .executeTakeFirst());
  if (consumed === undefined) throw codeRefused('used');
}

function budgetUsedUp(limited: Problem): Problem {
  return new Problem({
    code: 'mfa.locked',
    detail: 'Too many wrong codes. Wait before you try again.',
    ...(limited.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: limited.retryAfterSeconds }),
  });
}
