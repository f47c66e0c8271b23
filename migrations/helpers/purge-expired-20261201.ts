/** What is deleted, by which rule, since 20261121180000. */
const purges = [
  { table: 'idempotency_keys', column: 'expires_at', rule: 'expires_at < now()' },
  { table: 'mfa_challenges', column: 'expires_at', rule: "expires_at < now() - interval '30 days'" },
  { table: 'refresh_tokens', column: 'expires_at', rule: 'expires_at < now()' },
  { table: 'oidc_sign_ins', column: 'expires_at', rule: 'expires_at < now()' },
  { table: 'rate_limit_counters', column: 'expire', rule: 'expire < extract(epoch from now()) * 1000' },
  { table: 'development_mails', column: 'created_at', rule: "created_at < now() - interval '7 days'" },
];

const counted = (change: string, table: string) => `
          with gone as (${change}
            returning 1
          ) select count(*) into removed from gone;
          counts := counts || jsonb_build_object('${table}', removed);`;

const deletions = purges
  .map(({ table, column, rule }) =>
    counted(
      `
            delete from public.${table}
            where ${column} <= (
              select max(${column}) from (
                select ${column} from public.${table} where ${rule} order by ${column} limit batch
              ) oldest
            )`,
      table,
    ),
  )
  .join('');

/** A merge keeps what it replaced for as long as it can be undone. */
const clearing = counted(
  `
            update public.client_merges set former_values = null, values_cleared_at = now()
            where values_cleared_at is null and undo_until <= (
              select max(undo_until) from (
                select undo_until from public.client_merges
                where values_cleared_at is null and undo_until <= now() order by undo_until limit batch
              ) oldest
            )`,
  'client_merges',
);

/** Only the definer may replace its own function, and the owner of the schema drop it. */
const purge = (steps: string) => [
  'drop function purge_expired_rows(int)',
  `create function purge_expired_rows(batch int) returns jsonb
      language plpgsql volatile security definer set search_path = ''
      as $$
        declare
          removed bigint;
          counts jsonb := '{}';
        begin ${steps}
          return counts;
        end
      $$`,
  'revoke all on function purge_expired_rows(int) from public',
  'grant execute on function purge_expired_rows(int) to castellan_app',
  'alter function purge_expired_rows(int) owner to castellan_definer',
];

/** As it stood before. */
export const purgeRows = purge(deletions);

/** It clears the former values of merges besides. */
export const purgeRowsAndMerges = purge(deletions + clearing);
