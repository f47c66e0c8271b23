import { IdempotencyKeyEntity } from './idempotency-key.entity.ts';
import {
  AdminRoleAssignmentEntity,
  AdminRoleEntity,
  AdminRolePermissionsEntity,
  UserAgentPermissionEntity,
} from './role.entity.ts';
import { OidcSignInEntity, RefreshTokenEntity, SessionEntity } from './session.entity.ts';
import { TenantEntity } from './tenant.entity.ts';
import { AdminUserEntity, UserEntity, UserIdentityEntity, UserPreferencesEntity } from './user.entity.ts';

/** Every entity by the name of its table: the explicit list that MikroORM, the typed queries and the checks use. */
export const entitiesByTable = {
  tenants: TenantEntity,
  users: UserEntity,
  admin_users: AdminUserEntity,
  user_preferences: UserPreferencesEntity,
  user_identities: UserIdentityEntity,
  sessions: SessionEntity,
  refresh_tokens: RefreshTokenEntity,
  oidc_sign_ins: OidcSignInEntity,
  admin_roles: AdminRoleEntity,
  admin_role_permissions: AdminRolePermissionsEntity,
  admin_role_assignments: AdminRoleAssignmentEntity,
  user_agent_permissions: UserAgentPermissionEntity,
  idempotency_keys: IdempotencyKeyEntity,
};

export const entities = Object.values(entitiesByTable);
