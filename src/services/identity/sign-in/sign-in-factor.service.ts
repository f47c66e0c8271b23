import { sql } from 'kysely';
import { kysely } from '../../../entities/kysely-schema.ts';
import { read } from '../../../platform/database/read.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { hasConfirmedFactor } from './second-factor.service.ts';
import type { FactorOwner } from './second-factor.service.ts';

/** Whether signing in with the password asks for a code too, and whether there is an app to give one. */
interface SignInFactor {
  readonly sign_in_requires_totp: boolean;
  readonly has_authenticator_app: boolean;
}

/** How a person signs in with the password. */
export async function signInFactorOf(deps: Pick<SignInDeps, 'db'>, owner: FactorOwner): Promise<SignInFactor> {
  const [user] = await read(
    deps.db,
    owner,
    kysely.selectFrom('users').where('id', '=', owner.user_id).select('sign_in_requires_totp'),
  );
  return {
    sign_in_requires_totp: user?.sign_in_requires_totp ?? false,
    has_authenticator_app: await hasConfirmedFactor(deps, owner),
  };
}

/**
 * @returns whether the person has an authenticator app.
 * @throws Problem `mfa.not-enrolled` when codes are to be asked for and there is no app to give one.
 */
export async function assertFactorAvailable(
  deps: Pick<SignInDeps, 'db'>,
  owner: FactorOwner,
  requiresTotp: boolean,
): Promise<boolean> {
  const hasApp = await hasConfirmedFactor(deps, owner);
  if (hasApp || !requiresTotp) return hasApp;
  throw new Problem({ code: 'mfa.not-enrolled', detail: 'Set up an app first: POST /auth/totp/setup.' });
}

/** Makes signing in with the password ask for a code too, or no longer. */
export async function setSignInFactor(tx: Tx, userId: string, sign_in_requires_totp: boolean): Promise<void> {
  await tx.sql
    .updateTable('users')
    .set({ sign_in_requires_totp, updated_at: sql<string>`now()` })
    .where('id', '=', userId)
    .execute();
  tx.audit({
    event: 'user.sign-in-factor',
    action: 'update',
    resource_type: 'user',
    resource_id: userId,
    new_values: { sign_in_requires_totp },
  });
}
