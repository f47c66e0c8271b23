import type { ApprovalPolicy } from './approval-policy.ts';
import { defaultWindows } from './approval-policy.ts';
import type { EnvironmentName } from '../shared/environment.ts';
import type { SystemRoleCode } from '../identity/system-roles.ts';

/** How strongly an action is guarded, weakest first (S2-68): not at all, by a second factor, or by approval. */
export const gateLevels = ['none', 'mfa', 'approval'] as const;

/** One of {@link gateLevels}. `approval` includes a second factor of everybody who takes part. */
export type GateLevel = (typeof gateLevels)[number];

/** True when `gate` guards less than `wanted`. */
export function isWeaker(gate: GateLevel, wanted: GateLevel): boolean {
  return gateLevels.indexOf(gate) < gateLevels.indexOf(wanted);
}

/** The strongest of some gates. */
export function strongestGate(gates: readonly GateLevel[]): GateLevel {
  return gates.reduce<GateLevel>((strongest, gate) => (isWeaker(strongest, gate) ? gate : strongest), 'none');
}

/** The gate without a gate policy: approval in production, a second factor elsewhere (S2-68, S2-77). */
export function safeGate(environment: EnvironmentName | null): GateLevel {
  return environment === 'production' ? 'approval' : 'mfa';
}

const reviewers: SystemRoleCode[] = ['role-super-admin', 'role-provider-admin'];

/** The approval policy without a gate policy: one administrator other than the requester. */
export const safePolicy: ApprovalPolicy = {
  ...defaultWindows,
  steps: [{ name: 'administrator', roles: reviewers, users: [], quorum: 1 }],
  bypassers: [],
};
