import type { Action } from './action.ts';
import { registerActions } from './known-actions.ts';
import { assignmentRemoveCampaign } from '../assignment/assignment-remove-campaign.action.ts';
import { assignmentRemoveContact } from '../assignment/assignment-remove-contact.action.ts';
import { campaignDelete } from '../assignment/campaign/campaign-delete.action.ts';
import { clientFulfilRequest } from '../client-record/data-request/client-fulfil-request.action.ts';
import { clientExportFull } from '../client-record/client-export-full.action.ts';
import { configApply } from '../config/config-apply.action.ts';
import { configRollback } from '../config/config-rollback.action.ts';
import { contactDelete } from '../assignment/contact-delete.action.ts';
import { flagCreate } from '../flag/flag-create.action.ts';
import { flagEmergencyOff } from '../flag/flag-emergency-off.action.ts';
import { flagToggle } from '../flag/flag-toggle.action.ts';
import { flagUpdate } from '../flag/flag-update.action.ts';
import { gatePolicySave } from '../approval/gate-policy-save.action.ts';
import { integrationConfigure, integrationDelete } from '../integration/integration-configure.action.ts';
import { integrationRotateKey } from '../integration/integration-rotate-key.action.ts';
import { personErase } from '../identity/person-erase.action.ts';
import { onboardingGrantRoles } from '../onboarding/onboarding-grant-roles.action.ts';
import { onboardingRevoke } from '../onboarding/onboarding-revoke.action.ts';
import { queueClean } from '../queue/queue-clean.action.ts';
import { queueUnregister } from '../queue/queue-unregister.action.ts';
import { tenantNameAdministrator } from '../identity/administrator-naming/name-administrator.action.ts';
import { tenantSetStatus } from '../identity/tenant-set-status.action.ts';
import { roleCreate } from '../identity/role/role-create.action.ts';
import { roleDelete } from '../identity/role/role-delete.action.ts';
import { roleUpdate } from '../identity/role/role-update.action.ts';
import { roleUpdatePermissions } from '../identity/role/role-update-permissions.action.ts';
import { userAssignRole, userReviewRole, userRevokeRole } from '../identity/role/role-assignment.action.ts';
import { userCreate } from '../identity/user-create.action.ts';
import { userDelete } from '../identity/user-delete.action.ts';
import { userLinkIdentity, userUnlinkIdentity } from '../identity/user-identity.action.ts';
import { userResetFactor } from '../identity/user-reset-factor.action.ts';
import { userUpdate } from '../identity/user-update.action.ts';

/** Every change that can be gated or approved. */
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
  gatePolicySave,
  userCreate,
  userUpdate,
  userDelete,
  userAssignRole,
  userRevokeRole,
  userReviewRole,
  userLinkIdentity,
  userUnlinkIdentity,
  userResetFactor,
  personErase,
  clientFulfilRequest,
  assignmentRemoveCampaign,
  assignmentRemoveContact,
  campaignDelete,
  contactDelete,
  onboardingRevoke,
  onboardingGrantRoles,
  clientExportFull,
  queueClean,
  queueUnregister,
  tenantSetStatus,
  tenantNameAdministrator,
  integrationRotateKey,
  integrationConfigure,
  integrationDelete,
];

registerActions(actions);

export { findAction, getAction, prepareStored } from './known-actions.ts';
