import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { tenantTable } from './helpers/tenant-table.ts';

/**
 * Second factors, their challenges and the counters that bound guessing: S2-44, S2-45, S2-69, S4-27, platform B3.
 *
 * `rate_limit_counters` has no tenant: it counts before a tenant is known. Its keys are digests. Its three columns and
 * their order are those of the library that writes it.
 */
export class Migration20261121130000_mfa extends Migration {
  override up(): void {
    const statements = [
      `create table mfa_factors (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        secret_ciphertext text not null,
        confirmed_at timestamptz(3),
        last_step bigint not null default 0,
        created_at timestamptz(3) not null default now(),
        constraint mfa_factors_tenant_id_id_key unique (tenant_id, id),
        constraint mfa_factors_user_key unique (tenant_id, user_id),
        constraint mfa_factors_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
      )`,
      ...tenantTable('mfa_factors'),
      ...secretTable('mfa_factors'),

      `create table mfa_recovery_codes (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        code_hash text not null,
        used_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint mfa_recovery_codes_tenant_id_id_key unique (tenant_id, id),
        constraint mfa_recovery_codes_hash_key unique (tenant_id, user_id, code_hash),
        constraint mfa_recovery_codes_user_fk foreign key (tenant_id, user_id)
          references users (tenant_id, id) on delete cascade
      )`,
      ...tenantTable('mfa_recovery_codes'),

      `create table mfa_challenges (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        session_id uuid not null,
        action text not null check (length(action) between 1 and 100),
        payload_digest text not null check (payload_digest ~ '^[0-9a-f]{64}$'),
        method text not null check (method in ('totp', 'email')),
        code_hash text check ((code_hash is not null) = (method = 'email')),
        attempts int not null default 0 check (attempts between 0 and 5),
        expires_at timestamptz(3) not null,
        locked_at timestamptz(3),
        verified_at timestamptz(3),
        proof_expires_at timestamptz(3),
        consumed_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint mfa_challenges_tenant_id_id_key unique (tenant_id, id),
        constraint mfa_challenges_proof check ((proof_expires_at is null) = (verified_at is null)),
        constraint mfa_challenges_consumed check (consumed_at is null or verified_at is not null),
        constraint mfa_challenges_session_fk foreign key (tenant_id, session_id)
          references sessions (tenant_id, id) on delete cascade
      )`,
      'create index mfa_challenges_user_idx on mfa_challenges (tenant_id, user_id, created_at desc)',
      'create index mfa_challenges_session_idx on mfa_challenges (tenant_id, session_id)',
      ...tenantTable('mfa_challenges'),
      'revoke delete on mfa_challenges from castellan_app',

      `create table rate_limit_counters (
        key varchar(255) primary key,
        points int not null default 0,
        expire bigint
      )`,
      'create index rate_limit_counters_expire_idx on rate_limit_counters (expire)',
      'grant select, insert, update, delete on rate_limit_counters to castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const table of ['rate_limit_counters', 'mfa_challenges', 'mfa_recovery_codes', 'mfa_factors']) {
      this.addSql(`drop table ${table}`);
    }
  }
}
