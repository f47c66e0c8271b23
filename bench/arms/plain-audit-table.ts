/**
 * An audit table without chain: the same columns, the same indexes, the same row-level security as `audit_logs`, filled
 * by a plain insert. The difference is the cost of the chain.
 */
export const plainAuditTable = [
  `create table bench_plain_audit (
    seq bigint generated always as identity primary key,
    id uuid not null default gen_random_uuid(),
    tenant_id uuid not null,
    recorded_at timestamptz(3) not null default now(),
    occurred_at timestamptz(3) not null,
    user_id uuid,
    area text not null default 'admin',
    event text not null,
    action text not null,
    resource_type text not null,
    resource_id text,
    outcome text not null,
    request_id text,
    entry json not null,
    private json
  )`,
  'create unique index on bench_plain_audit (id)',
  'create index on bench_plain_audit (tenant_id, user_id, seq)',
  'create index on bench_plain_audit (tenant_id, event, seq)',
  'create index on bench_plain_audit (tenant_id, resource_type, resource_id, seq)',
  'create index on bench_plain_audit (request_id)',
  'create index on bench_plain_audit using brin (occurred_at) with (pages_per_range = 32)',
  'alter table bench_plain_audit enable row level security',
  `create policy tenant_isolation on bench_plain_audit as restrictive to castellan_app
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))`,
  'create policy app_access on bench_plain_audit to castellan_app using (true) with check (true)',
  'grant select, insert on bench_plain_audit to castellan_app',
  'grant usage on all sequences in schema public to castellan_app',
];
