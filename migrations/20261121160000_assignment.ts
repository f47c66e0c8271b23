import { Migration } from '@mikro-orm/migrations';
import { assignmentFunctions, assignmentSignatures } from './helpers/assignment-functions-20261121.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

/**
 * Campaigns, contacts and who looks after them: S3-8..13, S3-33..42, X-9.
 *
 * The two assignment tables have three policies each (S3-38): the tenant's fence; full access for a transaction that was
 * opened to manage assignments (`app.assignment_access`, set after the permission was checked); and everybody's own rows.
 */
export class Migration20261121160000_assignment extends Migration {
  override up(): void {
    const statements = [
      `create table campaigns (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (length(name) between 1 and 200),
        description text check (length(description) <= 5000),
        channel text check (channel in ('email', 'sms', 'phone', 'whatsapp', 'in_person', 'other')),
        status text not null default 'planning' check (status in ('planning', 'active', 'paused', 'complete')),
        starts_on date,
        ends_on date,
        created_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        deleted_at timestamptz(3),
        constraint campaigns_tenant_id_id_key unique (tenant_id, id),
        constraint campaigns_period check (ends_on >= starts_on)
      )`,
      'create unique index campaigns_name_key on campaigns (tenant_id, lower(name)) where deleted_at is null',
      'create index campaigns_created_idx on campaigns (tenant_id, created_at desc, id desc)',
      ...tenantTable('campaigns'),
      'revoke delete on campaigns from castellan_app',

      `create table contacts (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null references tenants (id),
        name text not null check (length(name) between 1 and 200),
        email text check (length(email) <= 320),
        phone_number text check (length(phone_number) <= 32),
        company text check (length(company) <= 200),
        source text check (length(source) <= 100),
        notes text check (length(notes) <= 5000),
        created_by uuid,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        deleted_at timestamptz(3),
        constraint contacts_tenant_id_id_key unique (tenant_id, id)
      )`,
      'create unique index contacts_email_key on contacts (tenant_id, lower(email)) where deleted_at is null',
      'create index contacts_created_idx on contacts (tenant_id, created_at desc, id desc)',
      ...tenantTable('contacts'),
      'revoke delete on contacts from castellan_app',

      // dealt_count: contacts dealt since joining; credit: those of before, and of times away; see get_next_user_round_robin.
      `create table user_campaign_assignment (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        campaign_id uuid not null,
        can_view boolean not null default true,
        can_edit boolean not null default false,
        can_send boolean not null default false,
        can_manage boolean not null default false,
        weight int not null default 100 check (weight between 1 and 10000),
        max_open_contacts int check (max_open_contacts >= 0),
        auto_assign boolean not null default true,
        paused_until timestamptz(3),
        dealt_count int not null default 0 check (dealt_count >= 0),
        credit int not null default 0 check (dealt_count + credit >= 0),
        open_contacts int not null default 0 check (open_contacts >= 0),
        last_turn int,
        last_assigned_at timestamptz(3),
        assigned_by uuid,
        assigned_at timestamptz(3) not null default now(),
        is_active boolean not null default true,
        removed_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        version int not null default 1,
        constraint user_campaign_assignment_tenant_id_id_key unique (tenant_id, id),
        constraint user_campaign_assignment_removed check (is_active = (removed_at is null)),
        constraint user_campaign_assignment_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id),
        constraint user_campaign_assignment_campaign_fk foreign key (tenant_id, campaign_id)
          references campaigns (tenant_id, id)
      )`,
      'create index user_campaign_assignment_user_idx on user_campaign_assignment (tenant_id, user_id)',
      'create index user_campaign_assignment_campaign_idx on user_campaign_assignment (tenant_id, campaign_id)',
      `create unique index user_campaign_assignment_active_key on user_campaign_assignment (tenant_id, user_id, campaign_id)
        where is_active`,
      `create index user_campaign_assignment_selection_idx on user_campaign_assignment
        (tenant_id, campaign_id, last_assigned_at)`,

      `create table user_contact_assignment (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        user_id uuid not null,
        contact_id uuid not null,
        campaign_id uuid,
        method text not null check (method in ('manual', 'round_robin', 'reassign')),
        reason jsonb not null,
        assigned_by uuid,
        assigned_at timestamptz(3) not null default now(),
        released_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint user_contact_assignment_tenant_id_id_key unique (tenant_id, id),
        constraint user_contact_assignment_user_fk foreign key (tenant_id, user_id) references users (tenant_id, id),
        constraint user_contact_assignment_contact_fk foreign key (tenant_id, contact_id) references contacts (tenant_id, id),
        constraint user_contact_assignment_campaign_fk foreign key (tenant_id, campaign_id)
          references campaigns (tenant_id, id)
      )`,
      'create index user_contact_assignment_user_idx on user_contact_assignment (tenant_id, user_id)',
      'create index user_contact_assignment_contact_idx on user_contact_assignment (tenant_id, contact_id)',
      `create unique index user_contact_assignment_owner_key on user_contact_assignment (tenant_id, contact_id)
        where released_at is null`,
      `create index user_contact_assignment_open_idx on user_contact_assignment (tenant_id, user_id)
        where released_at is null`,
      ...['user_campaign_assignment', 'user_contact_assignment'].flatMap(ruledTable),

      // Contacts that nobody could take yet, oldest first by position.
      `create table assignment_queue (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        campaign_id uuid,
        contact_id uuid not null,
        position bigserial not null,
        reason jsonb not null,
        preferred_user_id uuid,
        former_user_id uuid,
        requested_by uuid,
        created_at timestamptz(3) not null default now(),
        left_at timestamptz(3),
        outcome text check (outcome in ('assigned', 'withdrawn')),
        constraint assignment_queue_tenant_id_id_key unique (tenant_id, id),
        constraint assignment_queue_left check ((left_at is null) = (outcome is null)),
        constraint assignment_queue_campaign_fk foreign key (tenant_id, campaign_id) references campaigns (tenant_id, id),
        constraint assignment_queue_contact_fk foreign key (tenant_id, contact_id) references contacts (tenant_id, id)
      )`,
      'create unique index assignment_queue_contact_key on assignment_queue (tenant_id, contact_id) where left_at is null',
      `create index assignment_queue_waiting_idx on assignment_queue (tenant_id, campaign_id, position)
        where left_at is null`,
      ...tenantTable('assignment_queue'),
      'revoke delete on assignment_queue from castellan_app',
      'grant usage on sequence assignment_queue_position_seq to castellan_app',

      `create table assignment_batches (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        kind text not null check (kind in ('bulk', 'hand_over')),
        campaign_id uuid,
        from_user_id uuid,
        to_user_id uuid,
        on_conflict text not null check (on_conflict in ('skip', 'reassign')),
        keep_owner boolean not null default false,
        status text not null default 'running' check (status in ('running', 'completed', 'cancelled')),
        total int not null check (total >= 0),
        requested_by uuid,
        created_at timestamptz(3) not null default now(),
        finished_at timestamptz(3),
        constraint assignment_batches_tenant_id_id_key unique (tenant_id, id),
        constraint assignment_batches_kind check ((kind = 'bulk') = (campaign_id is not null)
          and (kind = 'hand_over') = (from_user_id is not null)),
        constraint assignment_batches_finished check ((status = 'running') = (finished_at is null)),
        constraint assignment_batches_campaign_fk foreign key (tenant_id, campaign_id) references campaigns (tenant_id, id),
        constraint assignment_batches_from_fk foreign key (tenant_id, from_user_id) references users (tenant_id, id),
        constraint assignment_batches_to_fk foreign key (tenant_id, to_user_id) references users (tenant_id, id)
      )`,
      'create index assignment_batches_created_idx on assignment_batches (tenant_id, created_at desc, id desc)',
      ...tenantTable('assignment_batches'),
      'revoke delete on assignment_batches from castellan_app',

      // What a batch has still to do is what has no outcome: it goes on there after a crash.
      `create table assignment_batch_items (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        batch_id uuid not null,
        position int not null,
        contact_id uuid not null,
        campaign_id uuid,
        outcome text check (outcome in ('assigned', 'queued', 'skipped', 'conflict')),
        detail text,
        user_id uuid,
        settled_at timestamptz(3),
        created_at timestamptz(3) not null default now(),
        constraint assignment_batch_items_tenant_id_id_key unique (tenant_id, id),
        constraint assignment_batch_items_position_key unique (tenant_id, batch_id, position),
        constraint assignment_batch_items_contact_key unique (tenant_id, batch_id, contact_id),
        constraint assignment_batch_items_settled check ((outcome is null) = (settled_at is null)),
        constraint assignment_batch_items_batch_fk foreign key (tenant_id, batch_id)
          references assignment_batches (tenant_id, id)
      )`,
      `create index assignment_batch_items_open_idx on assignment_batch_items (tenant_id, batch_id, position)
        where outcome is null`,
      ...tenantTable('assignment_batch_items'),
      'revoke delete on assignment_batch_items from castellan_app',

      ...assignmentFunctions,
      ...definerLookup('user_campaign_assignment', ['tenant_id', 'user_id', 'is_active']),
      ...definerLookup('user_contact_assignment', ['tenant_id', 'user_id', 'released_at']),
      ...assignmentSignatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
      ]),
      'alter function get_user_campaign_count(uuid) owner to castellan_definer',
      'alter function get_user_contact_count(uuid) owner to castellan_definer',
      ...countingTriggers,
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const table of [
      'assignment_batch_items',
      'assignment_batches',
      'assignment_queue',
      'user_contact_assignment',
    ]) {
      this.addSql(`drop table ${table}`);
    }
    for (const signature of assignmentSignatures.toReversed()) this.addSql(`drop function ${signature}`);
    for (const table of ['user_campaign_assignment', 'contacts', 'campaigns']) this.addSql(`drop table ${table}`);
  }
}

/** A tenant's table with the two role rules of S3-38 in the place of the one that lets the application in. */
function ruledTable(table: string): string[] {
  return [
    ...tenantTable(table).filter((statement) => !statement.startsWith('create policy app_access')),
    `create policy manager_access on ${table} to castellan_app
       using ((select current_setting('app.assignment_access', true)) = 'manage')
       with check ((select current_setting('app.assignment_access', true)) = 'manage')`,
    `create policy member_reads_own on ${table} for select to castellan_app
       using (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid))`,
    `revoke delete on ${table} from castellan_app`,
  ];
}

/** Keep `open_contacts` of the pool true, once a statement, so that capacity costs no count (S3-40). */
const countingTriggers = [
  `create trigger count_assigned after insert on user_contact_assignment referencing new table as new_rows
    for each statement execute function count_open_contacts()`,
  `create trigger count_changed after update on user_contact_assignment
    referencing old table as old_rows new table as new_rows
    for each statement execute function count_open_contacts()`,
];
