import { passwordFaultWords, passwordFaults } from '../../platform/security/password.ts';
import { Problem } from '../../platform/problem.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';

/** What a password must not be made of. */
interface NamedAccount {
  readonly full_name?: string | undefined;
  readonly email?: string | null | undefined;
  readonly phone_number?: string | null | undefined;
}

/**
 * Checks a password that was chosen for an account.
 *
 * @param pointer where the password is in the request, for the 422.
 * @throws Problem 422 with every fault of a weak password.
 */
export function assertStrongPassword(password: string, account: NamedAccount, pointer: string): void {
  const identity = [account.email, account.phone_number, account.full_name].filter((text) => typeof text === 'string');
  const faults = passwordFaults(password, identity);
  if (faults.length === 0) return;
  const errors = faults.map((code) => ({ pointer, detail: passwordFaultWords[code], code }));
  throw new Problem({ code: 'request.invalid', detail: 'Choose another password.', errors });
}

/**
 * Checks and hashes a password that was chosen for an account. Call it before the transaction, which must stay short.
 *
 * @param pointer where the password is in the request, for the 422.
 * @throws Problem 422 with every fault of a weak password; 503 when too many hashes are queued.
 */
export async function hashAccountPassword(
  deps: Pick<SignInDeps, 'passwords'>,
  password: string,
  account: NamedAccount,
  pointer: string,
): Promise<string> {
  assertStrongPassword(password, account, pointer);
  return deps.passwords.hash(password);
}
