import { Problem } from '../../platform/problem.ts';
import type { JsonValue } from '../../domain/shared/canonical.ts';
import type { Action, PreparedAction } from './action.ts';
import { assignmentRemoveCampaign } from '../assignment/assignment-remove-campaign.action.ts';
import { assignmentRemoveContact } from '../assignment/assignment-remove-contact.action.ts';
import { campaignDelete } from '../assignment/campaign-delete.action.ts';
import { configApply } from '../config/config-apply.action.ts';
import { configRollback } from '../config/config-rollback.action.ts';
import { contactDelete } from '../assignment/contact-delete.action.ts';
import { flagCreate } from '../flag/flag-create.action.ts';
import { flagEmergencyOff } from '../flag/flag-emergency-off.action.ts';
import { flagToggle } from '../flag/flag-toggle.action.ts';
import { flagUpdate } from '../flag/flag-update.action.ts';
import { integrationRotateKey } from '../integration/integration-rotate-key.action.ts';
import { personErase } from '../identity/person-erase.action.ts';
import { onboardingGrantRoles } from '../onboarding/onboarding-grant-roles.action.ts';
import { onboardingRevoke } from '../onboarding/onboarding-revoke.action.ts';
import { queueClean } from '../queue/queue-clean.action.ts';
import { roleCreate } from '../identity/role/role-create.action.ts';
import { roleDelete } from '../identity/role/role-delete.action.ts';
import { roleUpdate } from '../identity/role/role-update.action.ts';
import { roleUpdatePermissions } from '../identity/role/role-update-permissions.action.ts';
import { userDelete } from '../identity/user-delete.action.ts';

/** Every change that can be gated or approved. */
const actions: readonly Action[] = [
  flagCreate,
  flagUpdate,
  flagToggle,
  flagEmergencyOff,
  configApply,
  configRollback,
  roleCreate,
  roleDelete,
  roleUpdate,
  roleUpdatePermissions,
  userDelete,
  personErase,
  assignmentRemoveCampaign,
  assignmentRemoveContact,
  campaignDelete,
  contactDelete,
  onboardingRevoke,
  onboardingGrantRoles,
  queueClean,
  integrationRotateKey,
];

const byName = new Map(actions.map((action) => [action.name, action]));

/** The action of a name, or undefined. */
export function findAction(name: string): Action | undefined {
  return byName.get(name);
}

/**
 * An action with a payload that was stored before, or null when it cannot be made any more: the payload was erased, or
 * neither action nor payload may be known to this release.
 */
export function prepareStored(name: string, payload: JsonValue | null): PreparedAction | null {
  const action = findAction(name);
  if (action === undefined || payload === null || !action.payloadSchema.safeParse(payload).success) return null;
  return action.prepare(payload);
}

/** @throws Problem `request.invalid` when there is no action of that name. */
export function getAction(name: string): Action {
  const action = findAction(name);
  if (action !== undefined) return action;
  throw new Problem({
    code: 'request.invalid',
    detail: 'There is no such action; GET /admin/approvals/gates lists them.',
    errors: [{ pointer: '/action', detail: 'is not the name of an action' }],
  });
}
