import { Migration } from '@mikro-orm/migrations';

/**
 * Which clients have something in common is found in an index alone: whether a client is deleted stands in it, as its last
 * column, so that no row is read to leave it out. Being a column of the key and not an included one it lets entries of the same value
 * be stored together; being a boolean it adds little or nothing to an entry. Searches by one of the values use the same index.
 *
 * Requests about data are listed by their due dates; the list of a kind, and of a kind in a status, is an index each, too.
 *
 * The new indexes of clients are made before the old ones are dropped: making one lets clients be read, and dropping one does not.
 */
export class Migration20261202100000_client_duplicate_indexes extends Migration {
  override up(): void {
    const statements = [
      'create index clients_same_birth_date_idx on clients (tenant_id, birth_date, sort_name, is_active)',
      'create index clients_same_email_idx on clients (tenant_id, email, is_active) where email is not null',
      'create index clients_same_phone_idx on clients (tenant_id, phone_number, is_active) where phone_number is not null',
      'create index client_data_requests_kind_due_idx on client_data_requests (tenant_id, kind, due_on, id)',
      'create index client_data_requests_kind_status_due_idx on client_data_requests (tenant_id, kind, status, due_on, id)',
      'drop index clients_birth_date_idx, clients_email_idx, clients_phone_idx',
    ];
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    const statements = [
      'drop index client_data_requests_kind_status_due_idx, client_data_requests_kind_due_idx',
      'create index clients_birth_date_idx on clients (tenant_id, birth_date, sort_name)',
      'create index clients_email_idx on clients (tenant_id, email) where email is not null',
      'create index clients_phone_idx on clients (tenant_id, phone_number) where phone_number is not null',
      'drop index clients_same_birth_date_idx, clients_same_email_idx, clients_same_phone_idx',
    ];
    for (const statement of statements) this.addSql(statement);
  }
}
