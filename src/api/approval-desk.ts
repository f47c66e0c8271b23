import type { ApiDeps, ApprovalDesk } from './deps.ts';

/** Placeholder until the approval feature lands in this file; every policy gate asks for approval and opens none. */
export function createApprovalDesk(_deps: Omit<ApiDeps, 'approvals'>): ApprovalDesk {
  return {
    resolveGate: async () => 'approval',
    open: async () => {
      throw new Error('the approval feature is not mounted yet');
    },
  };
}
