import { sql } from 'kysely';
import { kysely } from '../../entities/kysely-schema.ts';
import type { Tx } from '../../platform/database/unit-of-work.ts';

const openStatement = sql<{ access: string }>`select set_config('app.onboarding_access', 'manage', true) as access`;

/**
 * Opens the onboarding links of the whole tenant to the transaction (S3-46). Without it row-level security shows a session
 * the links of its own user and lets it write none. Call it only where the permission has been checked, where a token has
 * been found, or from our own workflows.
 */
export async function openOnboarding(tx: Tx): Promise<void> {
  await openStatement.execute(tx.sql);
}

/** {@link openOnboarding} for the read path: the first query of a batch. */
export const openOnboardingQuery = { compile: () => openStatement.compile(kysely) };
