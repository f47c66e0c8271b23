import { Migration } from '@mikro-orm/migrations';

/**
 * The audit chain: S2-29..31, S2-50, S2-56, S2-73, S4-4, X-7.
 *
 * One chain a tenant and one for the platform. Nobody inserts into it: `audit_append` does, as a function with rights
 * of its own, and only into the chain of the session's tenant. A session "in the platform" is one whose
 * `app.tenant_id` is the platform's chain id, which no tenant has.
 *
 * `entry` is of type json, not jsonb, because json keeps the text byte for byte, and the text is what is hashed. The
 * stored columns that people filter by are filled from it by the one function. They are no generated columns and have
 * no CHECK: PostgreSQL prepares each such expression anew for every INSERT, which made an append four times as dear.
 * What is shown comes from `entry`, and verification compares the columns with it.
 */
export class Migration20261121100000_audit extends Migration {
  override up(): void {
    const statements = [
      `alter table tenants add constraint tenants_id_is_not_the_platform check (id <> '${platformChainId}')`,

      `create table audit_logs (
        chain_id uuid not null,
        seq bigint not null,
        recorded_at timestamptz(3) not null,
        entry json not null,
        private json,
        entry_hash bytea not null,
        chain_hash bytea not null,
        id uuid not null,
        tenant_id uuid,
        occurred_at timestamptz(3) not null,
        user_id uuid,
        area text not null,
        event text not null,
        action text not null,
        resource_type text not null,
        resource_id text,
        outcome text not null,
        request_id text,
        reason text generated always as (entry ->> 'reason') virtual,
        session_id text generated always as (entry ->> 'session_id') virtual,
        trace_id text generated always as (entry ->> 'trace_id') virtual,
        workflow_id text generated always as (entry ->> 'workflow_id') virtual,
        ip text generated always as (private ->> 'ip') virtual,
        user_agent text generated always as (private ->> 'user_agent') virtual,
        old_values json generated always as (private -> 'old_values') virtual,
        new_values json generated always as (private -> 'new_values') virtual,
        primary key (chain_id, seq),
        constraint audit_logs_id_key unique (id)
      )`,
      'create index audit_logs_user_idx on audit_logs (chain_id, user_id, seq)',
      'create index audit_logs_event_idx on audit_logs (chain_id, event, seq)',
      'create index audit_logs_resource_idx on audit_logs (chain_id, resource_type, resource_id, seq)',
      'create index audit_logs_request_idx on audit_logs (request_id)',
      // Rows arrive in the order of time, so a block range index finds a span of time at next to no cost in writing.
      'create index audit_logs_occurred_idx on audit_logs using brin (occurred_at) with (pages_per_range = 32)',

      // Room in each page keeps the update of a head inside its page (HOT): no index work, no bloat.
      `create table audit_heads (
        chain_id uuid primary key,
        size bigint not null check (size >= 0),
        chain_hash bytea not null
      ) with (fillfactor = 50)`,

      `create table audit_permission_sets (
        chain_id uuid not null,
        digest text not null,
        permissions json not null,
        primary key (chain_id, digest)
      )`,

      `create table audit_checkpoints (
        chain_id uuid not null,
        size bigint not null check (size > 0),
        root_hash bytea not null,
        chain_hash bytea not null,
        note text not null,
        frontier bytea[] not null,
        created_at timestamptz(3) not null default now(),
        primary key (chain_id, size)
      )`,

      `create table audit_tree_nodes (
        chain_id uuid not null,
        level smallint not null,
        index bigint not null,
        hash bytea not null,
        primary key (chain_id, level, index)
      )`,

      // FORCE binds the owner of the tables as well: it finds no row here.
      ...chainTables.flatMap((table) => [
        `alter table ${table} enable row level security`,
        `alter table ${table} force row level security`,
        `create policy tenant_isolation on ${table} as restrictive to castellan_app
          using (chain_id = ${currentTenant}) with check (chain_id = ${currentTenant})`,
        `create policy app_access on ${table} to castellan_app using (true) with check (true)`,
        `grant select on ${table} to castellan_app`,
      ]),
      // A checkpoint is worth what its signature is worth; the application adds them and can take none away.
      'grant insert on audit_checkpoints, audit_tree_nodes to castellan_app',

      `create policy definer_append on audit_logs for insert to castellan_definer with check (true)`,
      'grant insert on audit_logs to castellan_definer',
      'create policy definer_access on audit_heads to castellan_definer using (true) with check (true)',
      'grant select, insert, update on audit_heads to castellan_definer',
      'create policy definer_access on audit_permission_sets to castellan_definer using (true) with check (true)',
      'grant select, insert on audit_permission_sets to castellan_definer',
      'create policy definer_lookup on audit_checkpoints for select to castellan_definer using (true)',
      'grant select (chain_id, size, created_at) on audit_checkpoints to castellan_definer',

      // The second lock: holds for the owner and for a superuser too, until they visibly switch it off.
      `create function audit_refuse_change() returns trigger language plpgsql set search_path = '' as $$
        begin
          raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
        end
      $$`,
      ...['audit_logs', 'audit_permission_sets', 'audit_checkpoints', 'audit_tree_nodes'].map(
        (table) => `create trigger append_only before update or delete or truncate on ${table}
          for each statement execute function audit_refuse_change()`,
      ),
      `create trigger never_removed before delete or truncate on audit_heads
        for each statement execute function audit_refuse_change()`,

      // The formulas are those of src/domain/audit-chain.ts. One call takes any number of entries: the head row is
      // locked once and stays locked until commit, which is why this is the last statement of a transaction.
      `create function audit_append(chain uuid, entries text[], privates text[], permission_set text)
        returns bigint
        language plpgsql volatile security definer set search_path = ''
        as $$
        declare
          head_size bigint;
          head_hash bytea;
          recorded timestamptz;
          recorded_ms bytea;
          leaf bytea;
          permission_digest text := encode(sha256(convert_to(permission_set, 'UTF8')), 'hex');
        begin
          if chain is distinct from nullif(current_setting('app.tenant_id', true), '')::uuid then
            raise exception 'audit entries go into the chain of the session''s own tenant'
              using errcode = 'insufficient_privilege';
          end if;

          select h.size, h.chain_hash into head_size, head_hash
            from public.audit_heads h where h.chain_id = chain for update;
          if not found then
            insert into public.audit_heads (chain_id, size, chain_hash)
              values (chain, 0, sha256(convert_to('castellan/audit/v1/' || chain::text, 'UTF8')))
              on conflict (chain_id) do nothing;
            select h.size, h.chain_hash into strict head_size, head_hash
              from public.audit_heads h where h.chain_id = chain for update;
          end if;

          -- Not now(): that is the start of the transaction, which may be before that of a row further up the chain.
          recorded := date_trunc('milliseconds', clock_timestamp());
          recorded_ms := int8send((extract(epoch from recorded) * 1000)::bigint);
          for place in 1 .. cardinality(entries) loop
            head_size := head_size + 1;
            leaf := sha256('\\x00'::bytea || int8send(head_size) || recorded_ms || convert_to(entries[place], 'UTF8'));
            head_hash := sha256('\\x02'::bytea || head_hash || leaf);
            insert into public.audit_logs
              (chain_id, seq, recorded_at, entry, private, entry_hash, chain_hash,
               id, tenant_id, occurred_at, user_id, area, event, action, resource_type, resource_id, outcome, request_id)
              select chain, head_size, recorded, entries[place]::json, privates[place]::json, leaf, head_hash,
                r.id, r.tenant_id, r.occurred_at, (r.actor ->> 'user_id')::uuid, r.area, r.event, r.action,
                r.resource_type, r.resource_id, r.outcome, r.request_id
              from json_to_record(entries[place]::json) as r(id uuid, tenant_id uuid, occurred_at timestamptz, actor json,
                area text, event text, action text, resource_type text, resource_id text, outcome text, request_id text)
              where coalesce(r.tenant_id, '${platformChainId}') = chain
                and r.action in ('create', 'read', 'update', 'delete', 'login', 'logout', 'permission_change')
                and r.outcome in ('success', 'refused', 'failed')
                and r.area in ('admin', 'business')
                and privates[place] is not null;
            if not found then
              raise exception 'the audit entry is of another tenant or not of the known form'
                using errcode = 'check_violation';
            end if;
          end loop;
          update public.audit_heads h set size = head_size, chain_hash = head_hash where h.chain_id = chain;

          if not exists (
            select from public.audit_permission_sets s where s.chain_id = chain and s.digest = permission_digest
          ) then
            insert into public.audit_permission_sets (chain_id, digest, permissions)
              values (chain, permission_digest, permission_set::json);
          end if;
          return head_size;
        end
        $$`,

      // The chains whose newest checkpoint is of another size, one page at a time: ids and sizes, nothing else. Those with
      // a checkpoint of the last minutes are among them, so that a failed hand-over to the outside is made up for.
      `create function audit_chains_due(after_chain uuid, page_size int)
        returns table (chain_id uuid, size bigint)
        language sql stable security definer set search_path = ''
        as $$
          select h.chain_id, h.size
          from public.audit_heads h
          left join lateral (
            select c.size, c.created_at from public.audit_checkpoints c
            where c.chain_id = h.chain_id order by c.size desc limit 1
          ) newest on true
          where (after_chain is null or h.chain_id > after_chain)
            and (newest.size is distinct from h.size or newest.created_at > now() - interval '10 minutes')
          order by h.chain_id
          limit page_size
        $$`,
      ...definerFunctions.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
        `alter function ${signature} owner to castellan_definer`,
      ]),

      `create view admin_audit_logs with (security_invoker = true) as
        select chain_id, seq, id, tenant_id, recorded_at, occurred_at, user_id, event, action, resource_type, resource_id,
          outcome, reason, session_id, request_id, trace_id, workflow_id, ip, user_agent, old_values, new_values,
          entry_hash, chain_hash
        from audit_logs where area = 'admin'`,
      'grant select on admin_audit_logs to castellan_app',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop view admin_audit_logs');
    for (const signature of definerFunctions) this.addSql(`drop function ${signature}`);
    for (const table of chainTables.toReversed()) this.addSql(`drop table ${table}`);
    this.addSql('drop function audit_refuse_change()');
    this.addSql('alter table tenants drop constraint tenants_id_is_not_the_platform');
  }
}

const platformChainId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const currentTenant = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";
const chainTables = ['audit_logs', 'audit_heads', 'audit_permission_sets', 'audit_checkpoints', 'audit_tree_nodes'];
const definerFunctions = ['audit_append(uuid, text[], text[], text)', 'audit_chains_due(uuid, int)'];
