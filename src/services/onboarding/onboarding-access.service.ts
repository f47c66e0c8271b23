import { sql } from 'kysely';
import { query } from '../../entities/kysely-schema.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

const statement = sql<{ access: string }>`select set_config('app.onboarding_access', 'manage', true) as access`;

/**
 * Opens the onboarding links of the whole tenant to the transaction (S3-46). Without it a session sees the links that
 * its person made and writes none; called where the permission was checked, where a token was found, and by our own
 * workflows.
 */
export async function openOnboarding(tx: Tx): Promise<void> {
  await statement.execute(tx.sql);
}

/** {@link openOnboarding} for the read path: the first query of a batch. */
export const openOnboardingQuery = { compile: () => statement.compile(query) };
