import { sql } from 'kysely';
import { defaultTenantId } from '../../../domain/shared/actor.ts';
import type { Actor } from '../../../domain/shared/actor.ts';
import { prepared } from '../../../entities/prepared-statement.ts';
import { kysely } from '../../../entities/kysely-schema.ts';
import { auditRefusal } from '../../../platform/audit/audit-refusal.ts';
import { read } from '../../../platform/database/read.ts';
import { unitOfWork } from '../../../platform/database/unit-of-work.ts';
import { Problem } from '../../../platform/problem.ts';
import type { SignInDeps } from '../../../platform/process-deps.ts';
import { openSession, tokenPairOf } from './session.service.ts';
import type { TokenPair } from './session.service.ts';
import { checkSignInCode } from './sign-in-code.service.ts';

/** An account as its owner names it, with the password. */
export interface Identification {
  /** E-mail address or phone number. */
  readonly identifier: string;
  readonly password: string;
  /** Null finds the account in any tenant, provided that only one has this address or number. */
  readonly tenant_domain: string | null;
}

/** What somebody signs in with. */
interface PasswordCredentials extends Identification {
  /** TOTP or recovery code, where the account asks for one. */
  readonly code: string | undefined;
}

/** An account that was found by its address or number. */
interface FoundAccount {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly password_hash: string | null;
  readonly asks_for_code: boolean;
}

/** What the password is given for. */
interface PasswordPurpose {
  /** Names a refused attempt in the audit. */
  readonly event: string;
  /** What a refusal says; it must not tell which accounts exist. */
  readonly detail: string;
  /** What is asked for besides the right password. */
  readonly completes?: (actor: Actor, account: FoundAccount) => Promise<boolean>;
}

/** The active accounts with this address or number; more than one only without a tenant. */
const findAccounts = prepared<{ identifier: string; tenant_domain: string | null }>()((param) => ({
  compile: () =>
    sql<FoundAccount>`
      select tenant_id, user_id, password_hash, asks_for_code
      from auth_find_users(${param('identifier')}, ${param('tenant_domain')})`.compile(kysely),
}));

/**
 * Finds out whose password somebody has given. Every attempt counts, whatever it is for; a right one is given back.
 *
 * @throws Problem `auth.invalid-credentials`, the same for every reason, so that it tells nobody which accounts exist
 *   (S1-62); 429 after too many attempts on the account or from the address.
 */
export async function identifyByPassword(
  deps: SignInDeps,
  anonymous: Actor,
  { identifier, password, tenant_domain }: Identification,
  { event, detail, completes = async () => true }: PasswordPurpose,
): Promise<Pick<FoundAccount, 'tenant_id' | 'user_id'>> {
  await deps.rateLimits.signInAddress.take(anonymous.ip ?? '');
  // Together, because the count of a guess does not depend on whose account it is.
  const [found] = await Promise.all([
    read(deps.db, anonymous, findAccounts({ identifier, tenant_domain })),
    deps.rateLimits.signInAccount.take(identifier),
  ]);
  // Two matches without a tenant are as good as none: guessing one would sign people in to the wrong company.
  const user = found.length === 1 ? found[0] : undefined;
  const matches = await deps.passwords.verify(user?.password_hash ?? null, password);
  const actor: Actor = { ...anonymous, tenant_id: user?.tenant_id ?? defaultTenantId };
  if (user === undefined || !matches || !(await completes(actor, user))) {
    await auditRefusal(deps.db, actor, {
      event,
      action: 'login',
      resource_type: 'user',
      resource_id: user?.user_id ?? null,
      reason: 'auth.invalid-credentials',
    });
    throw new Problem({ code: 'auth.invalid-credentials', detail });
  }
  await deps.rateLimits.signInAccount.giveBack(identifier);
  return user;
}

/**
 * Signs a person in with a password, and a code where the account asks for one, and opens a session.
 *
 * @throws Problem as {@link identifyByPassword}; `mfa.locked` after too many wrong codes.
 */
export async function signInWithPassword(
  deps: SignInDeps,
  anonymous: Actor,
  { code, ...identification }: PasswordCredentials,
): Promise<TokenPair> {
  const { user_id, tenant_id } = await identifyByPassword(deps, anonymous, identification, {
    event: 'session.open',
    detail: 'Check the phone number or e-mail address and the password, and give the TOTP code if the account asks for one.',
    completes: async (actor, account) => !account.asks_for_code || checkSignInCode(deps, actor, account.user_id, code),
  });
  const session = await unitOfWork(deps.db, { ...anonymous, tenant_id, kind: 'user', user_id }, async (tx) => {
    const opened = openSession(tx, deps, { user_id, method: 'password' });
    tx.defer(tx.sql.updateTable('users').set({ last_sign_in_at: sql<string>`now()` }).where('id', '=', user_id));
    tx.audit({
      event: 'session.open',
      action: 'login',
      resource_type: 'session',
      resource_id: opened.session_id,
      new_values: { user_id, method: 'password' },
    });
    return opened;
  });
  return tokenPairOf(deps, { user_id, tenant_id }, session);
}
