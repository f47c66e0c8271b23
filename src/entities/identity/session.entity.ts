import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantId, tenantPolicies } from '../shared/tenant-columns.ts';

export type SessionMethod = 'password' | 'oidc' | 'bearer';
export type RevokeReason = 'sign_out' | 'forced' | 'deactivated' | 'refresh_reuse' | 'password_changed' | 'expired';

/** A signed-in device: one family of refresh tokens. `bearer` mirrors a session of an external issuer. */
export const SessionEntity = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    method: p.text().$type<SessionMethod>(),
    ip: p.string().columnType('inet').nullable(),
    user_agent: p.text().nullable(),
    last_used_at: timestamp().defaultRaw('now()'),
    expires_at: timestamp(),
    mfa_at: timestamp().nullable(),
    external_key: p.text().nullable(),
    revoked_at: timestamp().nullable(),
    revoke_reason: p.text().nullable().$type<RevokeReason>(),
  },
});

/** One refresh token, by its SHA-256; used once (OAuth 2.0 Security BCP, RFC 9700 section 4.14). */
export const RefreshTokenEntity = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_tokens',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    token_hash: p.blob().primary(),
    tenant_id: tenantId,
    session_id: p.uuid(),
    issued_at: timestamp().defaultRaw('now()'),
    expires_at: timestamp(),
    used_at: timestamp().nullable(),
  },
});

/** A browser sign-in under way at an external provider: state, nonce and PKCE verifier, sealed. Has no tenant yet. */
export const OidcSignInEntity = defineEntity({
  name: 'OidcSignIn',
  tableName: 'oidc_sign_ins',
  properties: {
    state_hash: p.blob().primary(),
    provider: p.text(),
    sealed: p.text(),
    created_at: timestamp().defaultRaw('now()'),
    expires_at: timestamp(),
  },
});
