import { timestamp } from '../shared/column-types.ts';
import { defineEntity, p, tenantColumns, tenantPolicies } from '../shared/tenant-columns.ts';

/** How a challenge is answered: by an authenticator app (or a recovery code), or by a code sent by e-mail. */
export type MfaMethod = 'totp' | 'email';

/** What a challenge is proven by: the password alone proves one action only, for whoever has lost the factor. */
export type ProofMethod = MfaMethod | 'password';

/** A person's authenticator app. Without `confirmed_at` it is being set up and not in use yet (S4-1, S4-27). */
export const MfaFactorEntity = defineEntity({
  name: 'MfaFactor',
  tableName: 'mfa_factors',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    secret_ciphertext: p.text().hidden().lazy(),
    confirmed_at: timestamp().nullable(),
    /** The last time step that was accepted: a code works once (RFC 6238 §5.2). */
    last_step: p.bigint('number').defaultRaw('0'),
  },
});

/** A recovery code, by its SHA-256; used once (S4-27). */
export const MfaRecoveryCodeEntity = defineEntity({
  name: 'MfaRecoveryCode',
  tableName: 'mfa_recovery_codes',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    code_hash: p.text().hidden(),
    used_at: timestamp().nullable(),
  },
});

/** One request for a second factor, bound to person, session, action and payload (S2-44, S2-69), or a proof by password. */
export const MfaChallengeEntity = defineEntity({
  name: 'MfaChallenge',
  tableName: 'mfa_challenges',
  rowLevelSecurity: 'force',
  policies: tenantPolicies,
  properties: {
    ...tenantColumns,
    user_id: p.uuid(),
    /** Null for a proof by password, which is given without being signed in. */
    session_id: p.uuid().nullable(),
    action: p.text(),
    payload_digest: p.text(),
    method: p.text().$type<ProofMethod>(),
    code_hash: p.text().nullable().hidden(),
    attempts: p.integer().default(0),
    expires_at: timestamp(),
    locked_at: timestamp().nullable(),
    verified_at: timestamp().nullable(),
    proof_expires_at: timestamp().nullable(),
    consumed_at: timestamp().nullable(),
    /** Requests that were refused though they had the proof; the third uses it up. */
    refused_uses: p.integer().default(0),
  },
});

/** Counters of the rate limits, shared by all processes. They belong to no tenant; their keys are digests. */
export const RateLimitCounterEntity = defineEntity({
  name: 'RateLimitCounter',
  tableName: 'rate_limit_counters',
  properties: {
    key: p.string().length(255).primary(),
    points: p.integer().default(0),
    expire: p.bigint('number').nullable(),
  },
});
