/** A column that holds values sealed by the keyring. The row id that a value is bound to is the column `id`. */
export type SecretColumn = {
  readonly table: string;
  /** Ends in `_ciphertext`, by which a test finds columns that are not listed. */
  readonly column: string;
};

/**
 * Every column with a sealed secret. `npm run keys:reencrypt` goes through this list, so a column that is missing would
 * keep its old key for ever; a test compares the list with the database.
 */
export const secretColumns: readonly SecretColumn[] = [
  { table: 'account_links', column: 'totp_secret_ciphertext' },
  { table: 'admin_approval_payloads', column: 'payload_ciphertext' },
  { table: 'audit_person_keys', column: 'key_ciphertext' },
  { table: 'admin_config_versions', column: 'secrets_ciphertext' },
  { table: 'admin_integrations', column: 'secret_ciphertext' },
  { table: 'admin_key_rotations', column: 'new_secret_ciphertext' },
  { table: 'admin_key_rotations', column: 'old_secret_ciphertext' },
  { table: 'mfa_factors', column: 'secret_ciphertext' },
  { table: 'notification_channels', column: 'secret_ciphertext' },
  { table: 'notification_channels', column: 'previous_secret_ciphertext' },
];
