import { randomBytes } from 'node:crypto';
import { defaultOnboardingTiming } from '../../../src/domain/onboarding/onboarding.ts';
import { defaultTenantId } from '../../../src/domain/shared/actor.ts';
import { jsonb } from '../../../src/platform/database/jsonb.ts';
import { day, fromNow } from './defaults.ts';
import { insertRow } from './row-insertion.ts';
import type { Given, Row, Target } from './row-insertion.ts';

/** A link that was not used yet; the hash is of no token that anybody has. No workflow stands behind it. */
export function createOnboardingLink(
  target: Target,
  columns: Given<'onboarding_link', 'created_by'>,
): Promise<Row<'onboarding_link'>> {
  return insertRow(target, 'onboarding_link', {
    tenant_id: defaultTenantId,
    token_hash: randomBytes(32),
    token_last4: 'last',
    recipient_name: 'Some Newcomer',
    purpose: 'onboarding',
    capabilities: ['complete'],
    timing: jsonb(defaultOnboardingTiming),
    expires_at: fromNow(day),
    max_expires_at: fromNow(90 * day),
    ...columns,
  });
}
