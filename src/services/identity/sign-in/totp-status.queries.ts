import { kysely } from '../../../entities/kysely-schema.ts';
import { readAll } from '../../../platform/database/read.ts';
import type { ReadSource, ReadScope } from '../../../platform/database/read.ts';

/** Whether a person has an authenticator app in use, since when, and how many recovery codes are left. */
export async function totpStatus(db: ReadSource, person: ReadScope & { readonly user_id: string }) {
  const [factors, codes] = await readAll(db, person, [
    kysely.selectFrom('mfa_factors').where('user_id', '=', person.user_id).select('confirmed_at'),
    kysely
      .selectFrom('mfa_recovery_codes')
      .where('user_id', '=', person.user_id)
      .where('used_at', 'is', null)
      .select('id'),
  ] as const);
  const confirmed_at = factors[0]?.confirmed_at ?? null;
  return { is_enrolled: confirmed_at !== null, confirmed_at, recovery_codes_left: codes.length };
}
