import { defineSearchAttributeKey } from '@temporalio/common';

/**
 * Search attributes by which operators find workflows in Temporal Web. Only ids and values of closed sets: they are stored
 * unencrypted, whatever the payload codec does. The worker registers all of them when it starts.
 */
export const searchAttributes = {
  tenantId: defineSearchAttributeKey('TenantId', 'KEYWORD'),
  approvalState: defineSearchAttributeKey('ApprovalState', 'KEYWORD'),
  actionType: defineSearchAttributeKey('ActionType', 'KEYWORD'),
  requestedBy: defineSearchAttributeKey('RequestedBy', 'KEYWORD'),
  focusState: defineSearchAttributeKey('FocusState', 'KEYWORD'),
} as const;
