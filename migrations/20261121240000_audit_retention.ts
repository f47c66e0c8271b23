import { Migration } from '@mikro-orm/migrations';
import { secretTable } from './helpers/secret-table.ts';
import { definerLookup, tenantTable } from './helpers/tenant-table.ts';

/**
 * The second half of the audit (capabilities 34 and 35): the record of verifications, checkpoints handed to a witness,
 * segments that were archived and dropped, and the keys under which persons' data in the log is sealed.
 *
 * Rows leave `audit_logs` in one way only: `audit_drop_segment` checks that the segment is signed, that a witness
 * outside has a checkpoint that covers it, and that it is as old as it must be, and takes the rows out by the same
 * statement that writes the segment's record. The append-only triggers stay; the one on `audit_logs` lets exactly the
 * owner of that function delete, whose policy in turn shows it rows of recorded segments only.
 */
export class Migration20261121240000_audit_retention extends Migration {
  override up(): void {
    const statements = [
      `create table audit_verifications (
        chain_id uuid not null,
        id uuid not null default gen_random_uuid(),
        verified_at timestamptz(3) not null default now(),
        size bigint not null check (size >= 0),
        outcome text not null check (outcome in ('intact', 'damaged', 'decisions_differ')),
        first_bad_seq bigint,
        findings json not null default '[]',
        decisions_compared int not null default 0 check (decisions_compared >= 0),
        histories_gone int not null default 0 check (histories_gone >= 0),
        differences json not null default '[]',
        duration_ms int not null default 0 check (duration_ms >= 0),
        workflow_id text,
        primary key (chain_id, id)
      )`,
      'create index audit_verifications_newest_idx on audit_verifications (chain_id, verified_at desc, id desc)',

      `create table audit_witness_deliveries (
        chain_id uuid not null,
        witness text not null check (witness in ('webhook', 'folder')),
        size bigint not null check (size > 0),
        status text not null check (status in ('delivered', 'failed')),
        attempts int not null default 1 check (attempts > 0),
        error text check ((error is not null) = (status = 'failed')),
        first_tried_at timestamptz(3) not null default now(),
        delivered_at timestamptz(3) check ((delivered_at is not null) = (status = 'delivered')),
        primary key (chain_id, witness, size)
      )`,

      `create table audit_segments (
        chain_id uuid not null,
        to_seq bigint not null check (to_seq % 256 = 0),
        from_seq bigint not null check (from_seq > 0 and from_seq <= to_seq),
        root_hash bytea not null,
        chain_hash bytea not null,
        frontier bytea[] not null,
        note text not null,
        archive_name text not null check (length(archive_name) between 1 and 300),
        archive_digest bytea not null check (length(archive_digest) = 32),
        witness text not null,
        recorded_until timestamptz(3) not null,
        dropped_at timestamptz(3) not null default now(),
        primary key (chain_id, to_seq)
      )`,

      ...chainTables.flatMap((table) => [
        `alter table ${table} enable row level security`,
        `alter table ${table} force row level security`,
        `create policy tenant_isolation on ${table} as restrictive to castellan_app
          using (chain_id = ${currentTenant}) with check (chain_id = ${currentTenant})`,
        `create policy app_access on ${table} to castellan_app using (true) with check (true)`,
        `grant select on ${table} to castellan_app`,
      ]),
      'grant insert on audit_verifications to castellan_app',
      'grant insert, update on audit_witness_deliveries to castellan_app',
      ...['audit_verifications', 'audit_segments'].map(
        (table) => `create trigger append_only before update or delete or truncate on ${table}
          for each statement execute function audit_refuse_change()`,
      ),

      `create table audit_person_keys (
        id uuid primary key default gen_random_uuid(),
        tenant_id uuid not null,
        person_id uuid not null,
        key_ciphertext text,
        created_at timestamptz(3) not null default now(),
        destroyed_at timestamptz(3),
        destroyed_by uuid,
        constraint audit_person_keys_person_key unique (tenant_id, person_id),
        constraint audit_person_keys_destroyed check ((key_ciphertext is null) = (destroyed_at is not null))
      )`,
      ...tenantTable('audit_person_keys'),
      ...secretTable('audit_person_keys'),
      'revoke update, delete on audit_person_keys from castellan_app',
      'grant update (key_ciphertext, destroyed_at, destroyed_by) on audit_person_keys to castellan_app',
      // Destroyed is destroyed, also for whoever restores or re-encrypts: a person that was erased gets no second key.
      `create function audit_person_key_stays_destroyed() returns trigger language plpgsql set search_path = '' as $$
        begin
          if old.destroyed_at is not null then
            raise exception 'the key of an erased person does not come back' using errcode = 'insufficient_privilege';
          end if;
          return new;
        end
      $$`,
      `create trigger stays_destroyed before update on audit_person_keys
        for each row execute function audit_person_key_stays_destroyed()`,

      refuseChange(`
          if tg_op = 'DELETE' and tg_table_name = 'audit_logs' and current_user = 'castellan_definer' then
            return null;
          end if;`),
      `create policy definer_drop on audit_logs for delete to castellan_definer using (
        exists (select from audit_segments s where s.chain_id = audit_logs.chain_id and s.to_seq >= audit_logs.seq)
      )`,
      'grant delete on audit_logs to castellan_definer',
      ...definerLookup('audit_logs', ['chain_id', 'seq', 'recorded_at', 'chain_hash']),
      'grant select (root_hash, chain_hash) on audit_checkpoints to castellan_definer',
      ...definerLookup('audit_witness_deliveries', ['chain_id', 'witness', 'size', 'status']),
      'create policy definer_access on audit_segments to castellan_definer using (true) with check (true)',
      'grant select, insert on audit_segments to castellan_definer',

      `create function audit_drop_segment(
          chain uuid, until_seq bigint, root bytea, edge bytea[], signed_note text,
          archive text, digest bytea, recorded_before timestamptz)
        returns bigint
        language plpgsql volatile security definer set search_path = ''
        as $$
        declare
          first_seq bigint;
          link bytea;
          outside text;
          newest timestamptz;
          dropped bigint;
        begin
          if chain is distinct from nullif(current_setting('app.tenant_id', true), '')::uuid then
            raise exception 'segments are dropped by a session of their own tenant' using errcode = 'insufficient_privilege';
          end if;
          -- Appends wait, and so does a second call, which then finds the segment recorded.
          perform from public.audit_heads h where h.chain_id = chain and h.size > until_seq for update;
          if not found then
            raise exception 'the chain does not go on behind %', until_seq using errcode = 'check_violation';
          end if;
          select coalesce(max(s.to_seq), 0) + 1 into first_seq from public.audit_segments s where s.chain_id = chain;
          if until_seq < first_seq then
            return 0;
          end if;
          select c.chain_hash into link from public.audit_checkpoints c
            where c.chain_id = chain and c.size = until_seq and c.root_hash = root;
          if not found then
            raise exception 'no checkpoint of this root ends at %', until_seq using errcode = 'check_violation';
          end if;
          select d.witness into outside from public.audit_witness_deliveries d
            where d.chain_id = chain and d.size >= until_seq and d.status = 'delivered' limit 1;
          if not found then
            raise exception 'no witness has a checkpoint that covers %', until_seq using errcode = 'check_violation';
          end if;
          select l.recorded_at into newest from public.audit_logs l
            where l.chain_id = chain and l.seq = until_seq and l.chain_hash = link and l.recorded_at < recorded_before;
          if not found then
            raise exception 'row % is younger than allowed or not the signed one', until_seq using errcode = 'check_violation';
          end if;
          insert into public.audit_segments
            (chain_id, to_seq, from_seq, root_hash, chain_hash, frontier, note, archive_name, archive_digest, witness, recorded_until)
            values (chain, until_seq, first_seq, root, link, edge, signed_note, archive, digest, outside, newest);
          delete from public.audit_logs l where l.chain_id = chain and l.seq between first_seq and until_seq;
          get diagnostics dropped = row_count;
          if dropped <> until_seq - first_seq + 1 then
            raise exception 'the segment has % rows of %', dropped, until_seq - first_seq + 1 using errcode = 'check_violation';
          end if;
          return dropped;
        end
        $$`,

      // Every chain, a page at a time: ids only. Verification, witnesses and retention look at all of them.
      `create function audit_chains(after_chain uuid, page_size int) returns table (chain_id uuid)
        language sql stable security definer set search_path = ''
        as $$
          select h.chain_id from public.audit_heads h
          where after_chain is null or h.chain_id > after_chain
          order by h.chain_id limit page_size
        $$`,

      // Chains whose newest checkpoint the witness has not got yet.
      `create function audit_witness_due(to_witness text, after_chain uuid, page_size int) returns table (chain_id uuid)
        language sql stable security definer set search_path = ''
        as $$
          select h.chain_id
          from public.audit_heads h
          join lateral (select max(c.size) as size from public.audit_checkpoints c where c.chain_id = h.chain_id) newest
            on newest.size is not null
          where (after_chain is null or h.chain_id > after_chain)
            and not exists (
              select from public.audit_witness_deliveries d
              where d.chain_id = h.chain_id and d.witness = to_witness and d.size = newest.size and d.status = 'delivered'
            )
          order by h.chain_id limit page_size
        $$`,
      ...definerFunctions.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app`,
        `alter function ${signature} owner to castellan_definer`,
      ]),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    for (const signature of definerFunctions) this.addSql(`drop function ${signature}`);
    this.addSql('revoke select (root_hash, chain_hash) on audit_checkpoints from castellan_definer');
    this.addSql('drop policy definer_lookup on audit_logs');
    this.addSql('revoke select (chain_id, seq, recorded_at, chain_hash) on audit_logs from castellan_definer');
    this.addSql('drop policy definer_drop on audit_logs');
    this.addSql('revoke delete on audit_logs from castellan_definer');
    this.addSql(refuseChange(''));
    this.addSql('drop table audit_person_keys');
    this.addSql('drop function audit_person_key_stays_destroyed()');
    for (const table of chainTables) this.addSql(`drop table ${table}`);
  }
}

const currentTenant = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";
const chainTables = ['audit_verifications', 'audit_witness_deliveries', 'audit_segments'];
const definerFunctions = [
  'audit_drop_segment(uuid, bigint, bytea, bytea[], text, text, bytea, timestamptz)',
  'audit_chains(uuid, int)',
  'audit_witness_due(text, uuid, int)',
];

/** The second lock of the append-only tables, with what it lets pass. */
function refuseChange(exception: string): string {
  return `create or replace function audit_refuse_change() returns trigger language plpgsql set search_path = '' as $$
        begin${exception}
          raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
        end
      $$`;
}
