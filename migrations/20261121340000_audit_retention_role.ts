import { Migration } from '@mikro-orm/migrations';
import { createOldDropSegment, oldDropSegment } from './helpers/audit-drop-segment-20261121.ts';
import { checkedTreeFunctions, checkedTreeSignatures, dropSegment, dropSegmentSignature } from './helpers/audit-retention-20261121.ts';

/**
 * Dropping audit entries belongs to a role and a process of its own (T-17).
 *
 * Before, the application's role could forge the delivery to a witness and name the age itself, and drop entries that
 * were minutes old. Now `castellan_retention` is the only role that may call `audit_drop_segment`; how long entries are
 * kept stands in `audit_retention_settings`, which the application can read; age is measured by the database's own clock;
 * and what the rows lead to is computed from the rows. The signature is checked by the retention process, with a note
 * and a key from outside, because PostgreSQL has no Ed25519.
 *
 * What the application may still add to the audit is checked by triggers instead of by fewer rights, so that the code of
 * the release before goes on working: a checkpoint and the nodes of the tree must be what the rows give.
 */
export class Migration20261121340000_audit_retention_role extends Migration {
  override up(): void {
    const statements = [
      `do $$ begin
        if not exists (select from pg_catalog.pg_roles where rolname = 'castellan_retention') then
          raise exception 'the role castellan_retention is missing'
            using hint = 'run the migrations with DATABASE_ADMIN_URL, or "create role castellan_retention nologin" as a superuser';
        end if;
      end $$`,
      'grant usage on schema public to castellan_retention',

      // One row. The floor is a constraint, so that nobody but the owner of the schema gets below it, by a migration.
      `create table audit_retention_settings (
        id smallint primary key default 1 constraint audit_retention_settings_one_row check (id = 1),
        keep_days int not null default 365 constraint audit_retention_settings_floor check (keep_days >= 30),
        changed_at timestamptz(3) not null default now(),
        changed_by text not null default session_user
      )`,
      'insert into audit_retention_settings default values',
      `create function audit_stamp_retention_settings() returns trigger language plpgsql set search_path = '' as $$
        begin
          new.changed_at := clock_timestamp();
          new.changed_by := session_user;
          return new;
        end
      $$`,
      `create trigger stamp before update on audit_retention_settings
        for each row execute function audit_stamp_retention_settings()`,
      `create trigger never_removed before delete or truncate on audit_retention_settings
        for each statement execute function audit_refuse_change()`,
      'grant select on audit_retention_settings to castellan_app, castellan_definer, castellan_retention',
      'grant update (keep_days) on audit_retention_settings to castellan_retention',

      ...retentionTables.flatMap((table) => [
        `create policy retention_access on ${table} for select to castellan_retention using (chain_id = ${currentTenant})`,
        `grant select on ${table} to castellan_retention`,
      ]),
      // Its owner grants it.
      'set local role castellan_definer',
      'grant execute on function audit_chains(uuid, int) to castellan_retention',
      'reset role',

      'grant select (entry, entry_hash) on audit_logs to castellan_definer',
      'create policy definer_lookup on audit_tree_nodes for select to castellan_definer using (true)',
      'grant select (chain_id, level, index, hash) on audit_tree_nodes to castellan_definer',

      ...checkedTreeFunctions,
      ...checkedTreeSignatures.flatMap((signature) => [
        `revoke all on function ${signature} from public`,
        `grant execute on function ${signature} to castellan_app, castellan_definer`,
      ]),
      `create trigger is_of_the_rows before insert on audit_tree_nodes
        for each row execute function audit_check_tree_node()`,
      `create trigger is_of_the_rows before insert on audit_checkpoints
        for each row execute function audit_check_checkpoint()`,

      `drop function ${oldDropSegment}`,
      dropSegment,
      `revoke all on function ${dropSegmentSignature} from public`,
      `grant execute on function ${dropSegmentSignature} to castellan_retention`,
      `alter function ${dropSegmentSignature} owner to castellan_definer`,

      // Which place gave the checkpoint that covered a segment: files and objects besides the witnesses of before.
      `alter table audit_segments add constraint audit_segments_witness_check
        check (witness in ('webhook', 'folder', 'checkpoints'))`,

      // Times and ids are the database's; what was delivered stays so.
      'revoke insert on audit_verifications from castellan_app',
      `grant insert (${verificationColumns}) on audit_verifications to castellan_app`,
      'revoke insert, update on audit_witness_deliveries from castellan_app',
      'grant insert (chain_id, witness, size, status, error, delivered_at) on audit_witness_deliveries to castellan_app',
      'grant update (status, attempts, error, delivered_at) on audit_witness_deliveries to castellan_app',
      'revoke insert on audit_checkpoints from castellan_app',
      'grant insert (chain_id, size, root_hash, chain_hash, note, frontier) on audit_checkpoints to castellan_app',

      // A key that is replaced makes everything unreadable that it sealed: as good as changing the entries.
      personKeyTrigger(`
          if current_user <> 'castellan_owner' and new.key_ciphertext is not null
              and new.key_ciphertext is distinct from old.key_ciphertext then
            raise exception 'the key of a person is destroyed or kept, not replaced' using errcode = 'insufficient_privilege';
          end if;`),
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      personKeyTrigger(''),
      'revoke insert (chain_id, size, root_hash, chain_hash, note, frontier) on audit_checkpoints from castellan_app',
      'grant insert on audit_checkpoints to castellan_app',
      'revoke insert (chain_id, witness, size, status, error, delivered_at) on audit_witness_deliveries from castellan_app',
      'revoke update (status, attempts, error, delivered_at) on audit_witness_deliveries from castellan_app',
      'grant insert, update on audit_witness_deliveries to castellan_app',
      `revoke insert (${verificationColumns}) on audit_verifications from castellan_app`,
      'grant insert on audit_verifications to castellan_app',
      'alter table audit_segments drop constraint audit_segments_witness_check',
      `drop function ${dropSegmentSignature}`,
      ...createOldDropSegment,
      'drop trigger is_of_the_rows on audit_checkpoints',
      'drop trigger is_of_the_rows on audit_tree_nodes',
      ...checkedTreeSignatures.toReversed().map((signature) => `drop function ${signature}`),
      'revoke select (chain_id, level, index, hash) on audit_tree_nodes from castellan_definer',
      'drop policy definer_lookup on audit_tree_nodes',
      'revoke select (entry, entry_hash) on audit_logs from castellan_definer',
      'set local role castellan_definer',
      'revoke execute on function audit_chains(uuid, int) from castellan_retention',
      'reset role',
      ...retentionTables.toReversed().flatMap((table) => [
        `revoke select on ${table} from castellan_retention`,
        `drop policy retention_access on ${table}`,
      ]),
      'drop table audit_retention_settings',
      'drop function audit_stamp_retention_settings()',
      'revoke usage on schema public from castellan_retention',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}

const currentTenant = "(select nullif(current_setting('app.tenant_id', true), '')::uuid)";
/** What an archive is made of and verified with. */
const retentionTables = [
  'audit_logs',
  'audit_heads',
  'audit_permission_sets',
  'audit_checkpoints',
  'audit_tree_nodes',
  'audit_segments',
];
const verificationColumns =
  'chain_id, size, outcome, first_bad_seq, findings, decisions_compared, histories_gone, differences, duration_ms, workflow_id';

/** Destroyed stays destroyed, with what else is refused. */
function personKeyTrigger(exception: string): string {
  return `create or replace function audit_person_key_stays_destroyed() returns trigger language plpgsql set search_path = '' as $$
        begin
          if old.destroyed_at is not null then
            raise exception 'the key of an erased person does not come back' using errcode = 'insufficient_privilege';
          end if;${exception}
          return new;
        end
      $$`;
}
