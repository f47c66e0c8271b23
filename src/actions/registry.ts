import { Problem } from '../platform/problem.ts';
import type { Action } from './action.ts';
import { assignmentRemoveCampaign } from './assignment-remove-campaign.action.ts';
import { assignmentRemoveContact } from './assignment-remove-contact.action.ts';
import { campaignDelete } from './campaign-delete.action.ts';
import { configApply } from './config-apply.action.ts';
import { configRollback } from './config-rollback.action.ts';
import { contactDelete } from './contact-delete.action.ts';
import { flagCreate } from './flag-create.action.ts';
import { flagEmergencyOff } from './flag-emergency-off.action.ts';
import { flagToggle } from './flag-toggle.action.ts';
import { flagUpdate } from './flag-update.action.ts';
import { integrationRotateKey } from './integration-rotate-key.action.ts';
import { personErase } from './person-erase.action.ts';
import { onboardingGrantRoles } from './onboarding-grant-roles.action.ts';
import { onboardingRevoke } from './onboarding-revoke.action.ts';
import { queueClean } from './queue-clean.action.ts';
import { roleCreate } from './role-create.action.ts';
import { roleDelete } from './role-delete.action.ts';
import { roleUpdate } from './role-update.action.ts';
import { roleUpdatePermissions } from './role-update-permissions.action.ts';
import { userDelete } from './user-delete.action.ts';

/** Every change that can be gated or approved. An action that is not here cannot be run by anybody. */
export const actions: readonly Action[] = [
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

/** @throws Problem `request.invalid` when there is no action of that name. */
export function requireAction(name: string): Action {
  const action = findAction(name);
  if (action !== undefined) return action;
  throw new Problem({
    code: 'request.invalid',
    detail: 'There is no such action; GET /admin/approvals/gates lists them.',
    errors: [{ pointer: '/action', detail: 'is not the name of an action' }],
  });
}
