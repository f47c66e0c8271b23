import { defineSearchAttributeKey } from '@temporalio/common';

/**
 * What operators can search workflows by in Temporal Web. Ids and closed words only: search attributes are stored in
 * clear, whatever the payload codec does. The worker registers all of them at start.
 */
export const searchAttributes = {
  tenantId: defineSearchAttributeKey('TenantId', 'KEYWORD'),
  approvalState: defineSearchAttributeKey('ApprovalState', 'KEYWORD'),
  actionType: defineSearchAttributeKey('ActionType', 'KEYWORD'),
  requestedBy: defineSearchAttributeKey('RequestedBy', 'KEYWORD'),
  focusState: defineSearchAttributeKey('FocusState', 'KEYWORD'),
} as const;
