import { randomInt } from 'node:crypto';
import { sql } from 'kysely';
import { challengeTtlSeconds, maskEmail, maxChallengeAttempts } from '../../domain/identity/mfa.ts';
import { kysely } from '../../entities/kysely-schema.ts';
import { read, writeInfrastructure } from '../../platform/database/read.ts';
import { unitOfWork } from '../../platform/database/unit-of-work.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';
import { nextVersion } from '../../platform/row-version.ts';
import type { FactorOwner } from './sign-in/second-factor.service.ts';
import { codeRefused } from './sign-in/second-factor.service.ts';

type Deps = Pick<SignInDeps, 'db' | 'keyring' | 'mailer' | 'rateLimits'>;

const now = sql<string>`clock_timestamp()`;

/** What is cleared when a pending address is confirmed, replaced or given up. */
export const noPendingAddress = {
  pending_email: null,
  pending_email_code: null,
  pending_email_attempts: 0,
  pending_email_expires_at: null,
} as const;

function nothingPending(): Problem {
  return new Problem({ code: 'resource.conflict', detail: 'No new address of yours waits for a confirmation.' });
}

/** Bound to person and address, so that a code of one is none of another. */
function boundCode(userId: string, address: string, code: string): string {
  return `pending-address/${userId}/${address}/${code}`;
}

/**
 * Mails a code to the address that somebody else has entered for the caller, at the caller's request (R4, T-7).
 *
 * @returns the masked address.
 * @throws Problem `resource.conflict` when none is pending, 429 for too many requests.
 */
export async function sendAddressCode(deps: Deps, owner: FactorOwner): Promise<{ sent_to: string }> {
  await deps.rateLimits.factorRequest.take(owner.user_id);
  const code = randomInt(1_000_000).toString().padStart(6, '0');
  const address = await unitOfWork(deps.db, owner, async (tx) => {
    const person = await lockPending(tx, owner.user_id);
    await tx.sql
      .updateTable('users')
      .set({
        pending_email_code: deps.keyring.fingerprint(boundCode(owner.user_id, person.pending_email, code)),
        pending_email_attempts: 0,
        pending_email_expires_at: sql<string>`clock_timestamp() + make_interval(secs => ${challengeTtlSeconds})`,
      })
      .where('id', '=', owner.user_id)
      .execute();
    tx.audit({ event: 'user.address-code', action: 'update', resource_type: 'user', resource_id: owner.user_id });
    return person.pending_email;
  });
  await deps.mailer.send({
    to: address,
    subject: 'Confirm this address for your Castellan account',
    text:
      `Your code is ${code}\n\nIt confirms that this address is yours, and is good for ${challengeTtlSeconds / 60} minutes, once.\n` +
      'If you have no account, somebody has mistyped an address: ignore this message.\n',
  });
  return { sent_to: maskEmail(address) };
}

/**
 * Makes the pending address the caller's own: from now on codes, links and sign-in by identity providers use it.
 *
 * @returns the address.
 * @throws Problem `mfa.code-refused`, `mfa.locked` after too many wrong codes, `resource.conflict` when none is pending; the
 *   database's unique violation (409) when another account has taken it meanwhile.
 */
export async function confirmAddress(deps: Pick<Deps, 'db' | 'keyring'>, owner: FactorOwner, code: string): Promise<{ email: string }> {
  await countAttempt(deps, owner);
  return unitOfWork(deps.db, owner, async (tx) => {
    const person = await lockPending(tx, owner.user_id);
    const isRight = deps.keyring.matchesFingerprint(
      boundCode(owner.user_id, person.pending_email, code),
      person.pending_email_code ?? '',
    );
    if (!isRight) throw codeRefused('wrong');
    await tx.sql
      .updateTable('users')
      .set({ email: person.pending_email, ...noPendingAddress, version: nextVersion(), updated_at: now })
      .where('id', '=', owner.user_id)
      .execute();
    tx.audit({
      event: 'user.confirm-address',
      action: 'update',
      resource_type: 'user',
      resource_id: owner.user_id,
      old_values: { email: person.email },
      new_values: { email: person.pending_email },
    });
    return { email: person.pending_email };
  });
}

/** Counts the attempt before the code is compared, so that parallel guesses cannot exceed the limit. */
async function countAttempt({ db }: Pick<Deps, 'db'>, owner: FactorOwner): Promise<void> {
  const [counted] = await writeInfrastructure(
    db,
    owner,
    kysely
      .updateTable('users')
      .set((eb) => ({ pending_email_attempts: eb('pending_email_attempts', '+', 1) }))
      .where('id', '=', owner.user_id)
      .where('pending_email_code', 'is not', null)
      .where('pending_email_expires_at', '>', now)
      .where('pending_email_attempts', '<', maxChallengeAttempts)
      .returning('id'),
  );
  if (counted !== undefined) return;
  const [person] = await read(db, owner, kysely.selectFrom('users').where('id', '=', owner.user_id).select('pending_email'));
  if (person?.pending_email == null) throw nothingPending();
  throw new Problem({ code: 'mfa.locked', detail: 'There is no code that could be tried. Request a new one.' });
}

async function lockPending(tx: Tx, userId: string) {
  const person = await tx.sql
    .selectFrom('users')
    .where('id', '=', userId)
    .where('status', '=', 'active')
    .select(['email', 'pending_email', 'pending_email_code'])
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (person?.pending_email == null) throw nothingPending();
  return { ...person, pending_email: person.pending_email };
}
