import type { Actor } from '../../domain/actor.ts';
import { query } from '../../entities/schema.ts';
import { read, writeTechnical } from '../../platform/read.ts';
import { matchTotpStep, totpStepsBack } from '../../platform/totp.ts';
import type { ApiDeps } from '../deps.ts';

/**
 * The second factor at sign-in, for accounts that ask for one. A code's time step is used up, so the same code
 * opens nothing else; wrong codes count against the person's factor guesses, apart from the password's.
 *
 * @returns true when the account asks for no code, or the code is right and fresh.
 */
export async function checkSignInCode(
  deps: ApiDeps,
  actor: Actor,
  userId: string,
  code: string | undefined,
): Promise<boolean> {
  const [factor] = await read(
    deps.db,
    actor,
    query
      .selectFrom('users as u')
      .innerJoin('mfa_factors as f', 'f.user_id', 'u.id')
      .where('u.id', '=', userId)
      .where('u.sign_in_requires_totp', '=', true)
      .where('f.confirmed_at', 'is not', null)
      .select(['f.id', 'f.secret_ciphertext']),
  );
  if (factor === undefined) return true;
  if (code === undefined) return false;
  await deps.rateLimits.factorGuess.take(userId);
  const place = { table: 'mfa_factors', column: 'secret_ciphertext', row_id: factor.id };
  const secret = deps.keyring.open(factor.secret_ciphertext, place);
  const step = matchTotpStep({ secret, code, nowMs: deps.now(), stepsBack: totpStepsBack.signIn });
  if (step === null) return false;
  const used = await writeTechnical(
    deps.db,
    actor,
    query
      .updateTable('mfa_factors')
      .set({ last_step: step })
      .where('id', '=', factor.id)
      .where('last_step', '<', step)
      .returning('id'),
  );
  if (used.length === 0) return false;
  await deps.rateLimits.factorGuess.giveBack(userId);
  return true;
}
