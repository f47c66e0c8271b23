import { allPermissions } from './permissions.ts';
import type { Permission } from './permissions.ts';

/** Code of a system role (S1-22). */
export type SystemRoleCode =
  | 'role-super-admin'
  | 'role-provider-admin'
  | 'role-regional-manager'
  | 'role-senior-agent'
  | 'role-junior-agent'
  | 'role-policyholder'
  | 'role-support-staff';

/** The coarse role of S4-1, derived from the roles that a person holds. */
export type CoarseRole = 'sysadmin' | 'admin' | 'user';

interface SystemRole {
  readonly code: SystemRoleCode;
  readonly name: string;
  readonly description: string;
  readonly coarse_role: CoarseRole;
  readonly permissions: readonly Permission[];
}

const everyone: Permission[] = ['profile:read', 'profile:update'];

const juniorAgent: Permission[] = [
  ...everyone,
  'tracker:use',
  'product:read',
  'policy:read',
  'policyholder:read',
  'quote:read',
  'quote:manage',
  'lead:read',
  'lead:manage',
  'campaign:read',
];

const seniorAgent: Permission[] = [
  ...juniorAgent,
  'policy:manage',
  'policyholder:manage',
  'payment:read',
  'claim:read',
  'claim:create',
  'agent:read',
  'analytics:read',
];

const supportStaff: Permission[] = [
  ...everyone,
  'tracker:use',
  'dashboard:read',
  'user:read',
  'user:force-logout',
  'role:read',
  'policy:read',
  'policyholder:read',
  'payment:read',
  'claim:read',
  'product:read',
  'queue:read',
  'health:read',
  'flag:read',
  'approval:read',
];

const regionalManager: Permission[] = [
  ...seniorAgent,
  'client:read',
  'client:create',
  'client:update',
  'client:delete',
  'client:manage',
  'client:export',
  'pipeline:manage',
  'dashboard:read',
  'tenant:read',
  'user:read',
  'role:read',
  'agent:manage',
  'campaign:update',
  'campaign:send',
  'campaign:manage',
  'contact:read',
  'contact:update',
  'contact:manage',
  'assignment:read',
  'assignment:manage',
  'onboarding:read',
  'onboarding:manage',
  'payment:manage',
  'claim:decide',
  'approval:read',
  'approval:request',
  'approval:decide',
  'flag:read',
];

/** What only the super admin holds; the provider admin holds everything else. */
const superAdminOnly: readonly Permission[] = [
  'tenant:manage',
  'approval-policy:manage',
  'approval:break-glass',
  'audit:verify',
];

/**
 * The seven system roles with their permission matrix (S1-22, S1-66). A tenant may change each matrix for itself, except
 * that of the super admin, who always holds every permission.
 */
export const systemRoles: readonly SystemRole[] = [
  {
    code: 'role-super-admin',
    name: 'Super Admin',
    description: 'Full system access',
    coarse_role: 'sysadmin',
    permissions: allPermissions,
  },
  {
    code: 'role-provider-admin',
    name: 'Provider Admin',
    description: 'Insurance provider management',
    coarse_role: 'admin',
    permissions: allPermissions.filter((permission) => !superAdminOnly.includes(permission)),
  },
  {
    code: 'role-regional-manager',
    name: 'Regional Manager',
    description: 'Regional operations',
    coarse_role: 'admin',
    permissions: regionalManager,
  },
  {
    code: 'role-senior-agent',
    name: 'Senior Agent',
    description: 'Sells and looks after policies, leads junior agents',
    coarse_role: 'user',
    permissions: seniorAgent,
  },
  {
    code: 'role-junior-agent',
    name: 'Junior Agent',
    description: 'Sells policies',
    coarse_role: 'user',
    permissions: juniorAgent,
  },
  {
    code: 'role-policyholder',
    name: 'Policyholder',
    description: 'Customer access',
    coarse_role: 'user',
    permissions: [...everyone, 'claim:create'],
  },
  {
    code: 'role-support-staff',
    name: 'Support Staff',
    description: 'Support operations',
    coarse_role: 'user',
    permissions: supportStaff,
  },
];

/** Codes of the roles whose holders are the administrators of a tenant. */
export const administratorCodes: readonly SystemRoleCode[] = ['role-super-admin', 'role-provider-admin'];

/** Code of the role whose permissions cannot be changed and that always has a holder (S2-71). */
export const superAdminCode: SystemRoleCode = 'role-super-admin';
