import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import { read } from '../../platform/database/read.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';
import { Problem } from '../../platform/problem.ts';
import type { SignInDeps } from '../../platform/process-deps.ts';
import { nextVersion } from '../../platform/row-version.ts';
import { hashAccountPassword } from './account-password.service.ts';
import { preferencesStatement } from './profile.queries.ts';
import { revokeOtherSessions } from './sign-in/revoke-sessions.service.ts';
import type { FactorOwner } from './sign-in/second-factor.service.ts';

/** How a person wants the product to behave; undefined stays as it is. */
interface PreferenceChanges {
  readonly language?: string | undefined;
  readonly theme?: 'system' | 'light' | 'dark' | undefined;
  readonly week_start?: 'monday' | 'saturday' | 'sunday' | undefined;
  readonly email_notifications?: boolean | undefined;
  /** IANA name; null follows the tenant. */
  readonly time_zone?: string | null | undefined;
}

/** Changes a person's preferences. @returns all of them as they are then. */
export async function updatePreferences(tx: Tx, userId: string, changes: PreferenceChanges) {
  const { time_zone, ...preferences } = changes;
  const { tenant_id } = tx.actor;
  // Nothing is read from the writes, so they are sent together with the query that follows them.
  if (Object.keys(preferences).length > 0) {
    tx.defer(
      tx.sql
        .insertInto('user_preferences')
        .values({ tenant_id, user_id: userId, ...preferences })
        .onConflict((conflict) =>
          conflict
            .columns(['tenant_id', 'user_id'])
            .doUpdateSet({ ...preferences, updated_at: sql<string>`now()`, version: nextVersion('user_preferences') }),
        ),
    );
  }
  if (time_zone !== undefined) {
    tx.defer(tx.sql.updateTable('users').set({ time_zone, updated_at: sql<string>`now()` }).where('id', '=', userId));
  }
  tx.audit({
    event: 'preferences.update',
    action: 'update',
    resource_type: 'user',
    resource_id: userId,
    new_values: changes,
  });
  const { rows } = await tx.sql.executeQuery(preferencesStatement({ user_id: userId }).compile());
  return rows[0];
}

/**
 * Verifies the current password and hashes the new one. Call it before the transaction, which must stay short.
 *
 * @throws Problem `auth.invalid-credentials` for a wrong current password, 422 for a weak new one, 429 after too many
 *   attempts.
 */
export async function hashNewPassword(
  deps: SignInDeps,
  owner: FactorOwner,
  { current_password, new_password }: { readonly current_password: string; readonly new_password: string },
): Promise<string> {
  await deps.rateLimits.signInAccount.take(`password:${owner.user_id}`);
  const [user] = await read(
    deps.db,
    owner,
    kysely
      .selectFrom('users')
      .where('id', '=', owner.user_id)
      .select(['password_hash', 'email', 'phone_number', 'full_name']),
  );
  if (!(await deps.passwords.verify(user?.password_hash ?? null, current_password))) {
    throw new Problem({ code: 'auth.invalid-credentials', detail: 'The current password is wrong.' });
  }
  return hashAccountPassword(deps, new_password, user ?? {}, '/new_password');
}

/** Stores a new password and ends the person's other sessions. */
export async function changePassword(tx: Tx, userId: string, password_hash: string): Promise<void> {
  await tx.sql
    .updateTable('users')
    .set({ password_hash, password_changed_at: sql<string>`now()`, updated_at: sql<string>`now()` })
    .where('id', '=', userId)
    .execute();
  await revokeOtherSessions(tx, userId, tx.actor.session_id, 'password_changed');
  tx.audit({ event: 'password.change', action: 'update', resource_type: 'user', resource_id: userId });
}
