import { Migration } from '@mikro-orm/migrations';
import { overAllRows } from './helpers/all-rows.ts';
import { clientFunctions, clientSignatures } from './helpers/client-functions-20261201.ts';
import { tenantTable } from './helpers/tenant-table.ts';

/** Who may do everything in every module by their role; the others get client records by a module permission only (S4-26). */
const admins = "('role-super-admin', 'role-provider-admin', 'role-regional-manager')";
const others = "('role-senior-agent', 'role-support-staff')";
const added = ['client:create', 'client:update', 'client:delete', 'client:export'];
const addedAbove = ['client:answer-request'];
const removed = ['client:read', 'client:manage'];

/**
 * Client records (S4-2, S4-20..22). The CPF lies in the table as the document says, `CHAR(11)` with its check and its unique key;
 * ADR 26 weighs that against sealing it. Deleted ones keep their number: adding it again offers the restore.
 */
export class Migration20261201110000_clients extends Migration {
  override up(): void {
    const statements = [
      ...clientFunctions.slice(0, 4),
      `create table clients (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        kind text not null default 'person' check (kind in ('person', 'company')),
        name text not null check (length(name) between 2 and 100),
        sort_name text collate "C" not null generated always as (folded(name)) stored,
        cpf char(11) check (cpf_is_valid(cpf::text)),
        cnpj char(14) check (cnpj_is_valid(cnpj::text)),
        birth_date date check (birth_date >= '1900-01-01'),
        email text check (length(email) <= 320 and email = lower(email)),
        phone_number text check (phone_number ~ '^\\+[1-9][0-9]{6,14}$'),
        address jsonb check (jsonb_typeof(address) = 'object' and length(address::text) <= 2000),
        contact_id uuid,
        prospect_id int,
        import_id uuid,
        merged_into_id uuid,
        created_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        deleted_at timestamptz(3),
        erased_at timestamptz(3),
        is_active boolean not null generated always as (deleted_at is null) stored,
        constraint clients_tenant_id_id_key unique (tenant_id, id),
        constraint clients_tenant_cpf_key unique (tenant_id, cpf),
        constraint clients_tenant_cnpj_key unique (tenant_id, cnpj),
        constraint clients_kind_numbers_check check (case kind when 'person' then cnpj is null else cpf is null and birth_date is null end),
        constraint clients_birth_date_past_check check (birth_date <= ((updated_at at time zone 'UTC') + interval '14 hours')::date),
        constraint clients_merged_check check (merged_into_id is null or (deleted_at is not null and merged_into_id <> id)),
        constraint clients_erased_check check (erased_at is null or (deleted_at is not null and cpf is null and cnpj is null)),
        constraint clients_created_by_fk foreign key (tenant_id, created_by) references users (tenant_id, id) on delete restrict,
        constraint clients_contact_fk foreign key (tenant_id, contact_id) references contacts (tenant_id, id),
        constraint clients_prospect_fk foreign key (tenant_id, prospect_id) references admin_prospects (tenant_id, id),
        constraint clients_merged_into_fk foreign key (tenant_id, merged_into_id) references clients (tenant_id, id)
      )`,
      'create index clients_created_idx on clients (tenant_id, created_at desc, id desc) where deleted_at is null',
      'create index clients_kind_created_idx on clients (tenant_id, kind, created_at desc, id desc) where deleted_at is null',
      'create index clients_creator_idx on clients (tenant_id, created_by, created_at desc, id desc) where deleted_at is null',
      'create index clients_name_idx on clients (tenant_id, sort_name, id) where deleted_at is null',
      'create index clients_kind_name_idx on clients (tenant_id, kind, sort_name, id) where deleted_at is null',
      'create index clients_deleted_name_idx on clients (tenant_id, sort_name, id) where deleted_at is not null',
      'create index clients_deleted_idx on clients (tenant_id, created_at desc, id desc) where deleted_at is not null',
      'create index clients_birth_date_idx on clients (tenant_id, birth_date, sort_name)',
      'create index clients_email_idx on clients (tenant_id, email) where email is not null',
      'create index clients_phone_idx on clients (tenant_id, phone_number) where phone_number is not null',
      'create unique index clients_contact_key on clients (tenant_id, contact_id) where contact_id is not null and deleted_at is null',
      'create unique index clients_prospect_key on clients (tenant_id, prospect_id) where prospect_id is not null and deleted_at is null',
      'create index clients_contact_idx on clients (tenant_id, contact_id)',
      'create index clients_prospect_idx on clients (tenant_id, prospect_id)',
      'create index clients_created_by_idx on clients (tenant_id, created_by)',
      'create index clients_merged_into_idx on clients (tenant_id, merged_into_id)',
      ...tenantTable('clients'),
      'revoke delete on clients from castellan_app',

      `create table client_name_words (
        tenant_id uuid not null,
        is_deleted boolean not null,
        word text collate "C" not null,
        name text collate "C" not null,
        client_id uuid not null,
        kind text not null,
        constraint client_name_words_pkey primary key (tenant_id, is_deleted, word, name, client_id),
        constraint client_name_words_client_fk foreign key (tenant_id, client_id) references clients (tenant_id, id) on delete cascade
      )`,
      'create index client_name_words_client_idx on client_name_words (tenant_id, client_id)',
      `create index client_name_words_company_idx on client_name_words (tenant_id, is_deleted, word, name, client_id)
        where kind = 'company'`,
      ...tenantTable('client_name_words'),
      ...clientFunctions.slice(4),
      `create trigger write_words after insert on clients referencing new table as new_rows
        for each statement execute function write_client_words()`,
      `create trigger rewrite_words after update of name, erased_at, deleted_at on clients
        for each row when ((old.name, old.erased_at, old.deleted_at) is distinct from (new.name, new.erased_at, new.deleted_at)) execute function write_client_words()`,

      ...clientSignatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
      ]),

      ...overAllRows(['admin_roles', 'admin_role_history'], [
        `update admin_roles set permissions = permissions || '{${added.join(',')}}' where is_system_role and code in ${admins}`,
        `update admin_roles set permissions = permissions || '{${addedAbove.join(',')}}'
         where is_system_role and code in ('role-super-admin', 'role-provider-admin')`,
        ...removed.map((one) => `update admin_roles set permissions = array_remove(permissions, '${one}') where is_system_role and code in ${others}`),
        `insert into admin_role_history (role_id, permissions, parent_role_id)
         select id, permissions, parent_role_id from admin_roles
         where is_system_role and (code in ${admins} or code in ${others})`,
      ]),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      ...overAllRows(['admin_roles'], [
        `update admin_roles set permissions = permissions || '{client:read}' where is_system_role and code in ${others}`,
        `update admin_roles set permissions = permissions || '{client:manage}' where is_system_role and code = 'role-senior-agent'`,
        ...[...added, ...addedAbove].map(
          (permission) => `update admin_roles set permissions = array_remove(permissions, '${permission}') where is_system_role`,
        ),
      ]),
      'drop table client_name_words',
      'drop table clients',
      ...clientSignatures.toReversed().map((signature) => `drop function ${signature}`),
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
