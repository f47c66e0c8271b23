import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { kysely } from '../../../entities/kysely-schema.ts';
import { Problem } from '../../../platform/problem.ts';
import { read } from '../../../platform/database/read.ts';
import { generateRecoveryCodes, hashRecoveryCode } from '../../../platform/security/recovery-codes.ts';
import { generateTotpSecret, matchTotpStep, totpKeyUri, totpStepsBack } from '../../../platform/security/totp.ts';
import type { Keyring } from '../../../platform/security/keyring.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import type { Tx } from '../../../platform/database/unit-of-work.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import type { FactorOwner } from './second-factor.service.ts';
import { codeRefused, factorSecretPlace, proveFactor, withGuessBudget } from './second-factor.service.ts';

type Deps = Pick<SignInDeps, 'db' | 'keyring' | 'rateLimits' | 'passwords' | 'log' | 'now'>;

/**
 * Verifies the password again before the factors of an account are changed (S4-27). People who sign in through an
 * identity provider have none, and are asked for none.
 *
 * @throws Problem `auth.password-refused` (403), 429 after too many wrong ones.
 */
export async function assertPassword(deps: Deps, owner: FactorOwner, password: string | undefined): Promise<void> {
  const [person] = await read(
    deps.db,
    owner,
    kysely.selectFrom('users').where('id', '=', owner.user_id).select('password_hash'),
  );
  const storedHash = person?.password_hash ?? null;
  if (storedHash === null) return;
  const budgetKey = `confirm/${owner.user_id}`;
  await deps.rateLimits.signInAccount.take(budgetKey);
  if (password === undefined || !(await deps.passwords.verify(storedHash, password))) {
    throw new Problem({ code: 'auth.password-refused', detail: 'Send your current password.' });
  }
  await deps.rateLimits.signInAccount.giveBack(budgetKey);
}

/**
 * Makes a secret for an authenticator app. It is not in use until a code of it was confirmed; asking again replaces it.
 *
 * @throws Problem `mfa.already-enrolled` while an app is in use.
 */
export async function beginTotpSetup(tx: Tx, keyring: Keyring, owner: FactorOwner): Promise<{ secret: string; otpauth_uri: string }> {
  const id = randomUUID();
  const secret = generateTotpSecret();
  await tx.sql
    .deleteFrom('mfa_factors')
    .where('user_id', '=', owner.user_id)
    .where('confirmed_at', 'is', null)
    .execute();
  const inserted = await tx.sql
    .insertInto('mfa_factors')
    .values({
      id,
      tenant_id: owner.tenant_id,
      user_id: owner.user_id,
      secret_ciphertext: keyring.seal(secret, factorSecretPlace(id)),
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'user_id']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted === undefined) {
    throw new Problem({
      code: 'mfa.already-enrolled',
      detail: 'Disable the current authenticator app first: POST /auth/totp/disable.',
    });
  }
  tx.audit({ event: 'mfa.setup', action: 'create', resource_type: 'mfa_factor', resource_id: id });
  const { email, phone_number } = await tx.sql
    .selectFrom('users')
    .where('id', '=', owner.user_id)
    .select(['email', 'phone_number'])
    .executeTakeFirstOrThrow();
  return { secret, otpauth_uri: totpKeyUri(secret, email ?? phone_number ?? owner.user_id) };
}

/**
 * Puts the app into use with a first code of it.
 *
 * @returns the recovery codes, which are shown this once.
 *
 * @throws Problem `mfa.not-enrolled` when no set-up is under way, `mfa.code-refused`, `mfa.locked`.
 */
export async function confirmTotp(deps: Deps, owner: FactorOwner, code: string): Promise<string[]> {
  return withGuessBudget(deps, owner, async () => {
    const [factor] = await read(
      deps.db,
      owner,
      kysely
        .selectFrom('mfa_factors')
        .where('user_id', '=', owner.user_id)
        .where('confirmed_at', 'is', null)
        .select(['id', 'secret_ciphertext']),
    );
    if (factor === undefined) throw noSetupUnderWay();
    const secret = deps.keyring.open(factor.secret_ciphertext, factorSecretPlace(factor.id));
    const step = matchTotpStep({ secret, code, nowMs: deps.now(), stepsBack: totpStepsBack.signIn });
    if (step === null) throw codeRefused('wrong');
    return unitOfWork(deps.db, owner, async (tx) => {
      const confirmed = await tx.sql
        .updateTable('mfa_factors')
        .set({ confirmed_at: sql<string>`clock_timestamp()`, last_step: step })
        .where('id', '=', factor.id)
        .where('confirmed_at', 'is', null)
        .returning('id')
        .executeTakeFirst();
      if (confirmed === undefined) throw noSetupUnderWay();
      tx.audit({ event: 'mfa.enable', action: 'update', resource_type: 'mfa_factor', resource_id: factor.id });
      return replaceRecoveryCodes(tx, owner);
    });
  });
}

/** Takes the app out of use with its recovery codes, by a code of it; the caller has verified the password. */
export async function disableTotp(deps: Deps, owner: FactorOwner, code: string): Promise<void> {
  await proveFactor(deps, owner, { code, purpose: 'signIn' }, async (tx) => {
    const resource_id = await removeTotp(tx, owner.user_id);
    tx.audit({ event: 'mfa.disable', action: 'delete', resource_type: 'mfa_factor', resource_id });
  });
}

/**
 * Removes a person's app and recovery codes; the caller audits why. Where signing in asks for a code it goes on with the
 * password alone until another app is in use, and asks again from then on.
 *
 * @returns the id of the app, or null where there was none.
 */
export async function removeTotp(tx: Tx, userId: string): Promise<string | null> {
  const removed = await tx.sql.deleteFrom('mfa_factors').where('user_id', '=', userId).returning('id').executeTakeFirst();
  await tx.sql.deleteFrom('mfa_recovery_codes').where('user_id', '=', userId).execute();
  return removed?.id ?? null;
}

/** Replaces the recovery codes, by a code of the app. @returns the new ones; the old ones are void. */
export async function renewRecoveryCodes(deps: Deps, owner: FactorOwner, code: string): Promise<string[]> {
  return proveFactor(deps, owner, { code, purpose: 'signIn' }, async (tx) => {
    tx.audit({
      event: 'mfa.renew-recovery',
      action: 'update',
      resource_type: 'mfa_factor',
      resource_id: owner.user_id,
    });
    return replaceRecoveryCodes(tx, owner);
  });
}

/**
 * Puts an app into use in place of whatever the person had: the holder of a one-time link need not have the old one.
 *
 * @param step the time step whose code was verified, which is spent with it.
 * @returns the recovery codes; the old ones are void.
 */
export async function replaceTotp(
  tx: Tx,
  { keyring }: Pick<Deps, 'keyring'>,
  owner: Pick<FactorOwner, 'tenant_id' | 'user_id'>,
  { secret, step }: { readonly secret: string; readonly step: number },
): Promise<string[]> {
  const { tenant_id, user_id } = owner;
  const id = randomUUID();
  await tx.sql.deleteFrom('mfa_factors').where('user_id', '=', user_id).execute();
  await tx.sql
    .insertInto('mfa_factors')
    .values({
      id,
      tenant_id,
      user_id,
      secret_ciphertext: keyring.seal(secret, factorSecretPlace(id)),
      confirmed_at: sql<string>`clock_timestamp()`,
      last_step: step,
    })
    .execute();
  return replaceRecoveryCodes(tx, owner);
}

async function replaceRecoveryCodes(tx: Tx, owner: Pick<FactorOwner, 'tenant_id' | 'user_id'>): Promise<string[]> {
  const { tenant_id, user_id } = owner;
  const codes = generateRecoveryCodes();
  await tx.sql.deleteFrom('mfa_recovery_codes').where('user_id', '=', user_id).execute();
  await tx.sql
    .insertInto('mfa_recovery_codes')
    .values(codes.map((code) => ({ tenant_id, user_id, code_hash: hashRecoveryCode(code) })))
    .execute();
  return codes;
}

function noSetupUnderWay(): Problem {
  return new Problem({ code: 'mfa.not-enrolled', detail: 'Start with POST /auth/totp/setup.' });
}
