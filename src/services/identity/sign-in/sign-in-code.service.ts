import type { Actor } from '../../../domain/shared/actor.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { Problem } from '../../../platform/problem.ts';
import { read } from '../../../platform/database/read.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { proveFactor } from './second-factor.service.ts';

/**
 * The second factor at sign-in, for an account that asks for one. The code is consumed, so that it cannot be used for
 * anything else; wrong codes count against the person's budget of factor guesses, not against that of passwords.
 *
 * @returns true when the code is right and fresh, or the account has no authenticator app any more.
 * @throws Problem `mfa.locked` (429) after too many wrong codes.
 */
export async function checkSignInCode(
  deps: SignInDeps,
  actor: Actor,
  userId: string,
  code: string | undefined,
): Promise<boolean> {
  const [factor] = await read(
    deps.db,
    actor,
    kysely.selectFrom('mfa_factors').where('user_id', '=', userId).where('confirmed_at', 'is not', null).select('id'),
  );
  if (factor === undefined) return true;
  if (code === undefined) return false;
  try {
    await proveFactor(deps, { ...actor, user_id: userId }, { code, purpose: 'signIn' }, async () => undefined);
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === 'mfa.code-refused') return false;
    throw error;
  }
}
