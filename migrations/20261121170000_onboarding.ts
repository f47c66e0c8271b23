import { Migration } from '@mikro-orm/migrations';
import {
  onboardingDefinerSignatures,
  onboardingFunctions,
  onboardingSignatures,
} from './helpers/onboarding-functions-20261121.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

/**
 * Onboarding links and every access to them: S3-23..26, S3-44..56.
 *
 * The three policies of S3-46: the tenant's fence; full access for a transaction that was opened to manage links
 * (`app.onboarding_access`, set after the permission was checked); and everybody's own links, to read.
 */
export class Migration20261121170000_onboarding extends Migration {
  override up(): void {
    const statements = [
      `create table onboarding_link (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        token_hash bytea not null check (length(token_hash) = 32),
        token_last4 char(4) not null,
        recipient_name text not null check (length(recipient_name) between 1 and 200),
        recipient_email text check (length(recipient_email) <= 320),
        purpose text not null check (length(purpose) between 1 and 200),
        created_by uuid not null,
        status text not null default 'pending'
          check (status in ('pending', 'opened', 'in_progress', 'completed', 'expired', 'revoked')),
        capabilities text[] not null,
        account jsonb,
        timing jsonb not null,
        expires_at timestamptz(3) not null,
        max_expires_at timestamptz(3) not null,
        progress jsonb not null default '{}',
        progress_percent int not null default 0 check (progress_percent between 0 and 100),
        current_step text check (length(current_step) <= 100),
        access_count int not null default 0,
        first_accessed_at timestamptz(3),
        last_accessed_at timestamptz(3),
        last_ip text,
        last_user_agent text,
        extended_count int not null default 0,
        revoked_at timestamptz(3),
        revoked_by uuid,
        revoke_reason text check (length(revoke_reason) <= 500),
        completed_at timestamptz(3),
        outcome jsonb,
        reminder_count int not null default 0,
        last_reminder_at timestamptz(3),
        warned_at timestamptz(3),
        announced text[] not null default '{}',
        attended_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint onboarding_link_tenant_id_id_key unique (tenant_id, id),
        constraint onboarding_link_life check (expires_at <= max_expires_at),
        constraint onboarding_link_completed check ((status = 'completed') = (completed_at is not null)
          and (status = 'completed') = (outcome is not null)),
        constraint onboarding_link_revoked check ((status = 'revoked') = (revoked_at is not null)),
        constraint onboarding_link_creator_fk foreign key (tenant_id, created_by) references users (tenant_id, id)
      )`,
      'create unique index onboarding_link_token_key on onboarding_link (token_hash)',
      'create index onboarding_link_status_idx on onboarding_link (tenant_id, status)',
      `create index onboarding_link_expiry_idx on onboarding_link (expires_at)
        where status in ('pending', 'opened', 'in_progress')`,
      'create index onboarding_link_creator_idx on onboarding_link (tenant_id, created_by)',
      'create index onboarding_link_recipient_idx on onboarding_link (tenant_id, recipient_email)',
      'create index onboarding_link_created_idx on onboarding_link (tenant_id, created_at desc)',
      ...tenantTable('onboarding_link').filter((statement) => !statement.startsWith('create policy app_access')),
      `create policy manager_access on onboarding_link to castellan_app
         using ((select current_setting('app.onboarding_access', true)) = 'manage')
         with check ((select current_setting('app.onboarding_access', true)) = 'manage')`,
      `create policy creator_reads_own on onboarding_link for select to castellan_app
         using (created_by = (select nullif(current_setting('app.user_id', true), '')::uuid))`,
      'revoke delete on onboarding_link from castellan_app',

      `create table onboarding_link_access (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        link_id uuid not null,
        ip text,
        user_agent text,
        outcome text not null check (outcome in ('shown', 'saved', 'completed', 'replayed', 'stale', 'not_allowed',
          'refused', 'expired', 'revoked', 'already_completed')),
        created_at timestamptz(3) not null default now(),
        constraint onboarding_link_access_tenant_id_id_key unique (tenant_id, id),
        constraint onboarding_link_access_link_fk foreign key (tenant_id, link_id)
          references onboarding_link (tenant_id, id)
      )`,
      'create index onboarding_link_access_link_idx on onboarding_link_access (tenant_id, link_id, created_at desc)',
      ...tenantTable('onboarding_link_access'),
      'revoke update, delete on onboarding_link_access from castellan_app',

      ...onboardingFunctions,
      ...definerLookup('onboarding_link', [
        'id',
        'tenant_id',
        'token_hash',
        'status',
        'expires_at',
        'attended_at',
        'updated_at',
        'first_accessed_at',
      ]),
      ...onboardingSignatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
      ]),
      ...onboardingDefinerSignatures.map((signature) => `alter function ${signature} owner to castellan_definer`),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const signature of onboardingSignatures) this.addSql(`drop function ${signature}`);
    this.addSql('drop table onboarding_link_access');
    this.addSql('drop table onboarding_link');
  }
}
