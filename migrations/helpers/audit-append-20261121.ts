/**
 * `audit_append` in its two forms. The chain is the same: hashes go from entry to entry, in order. What differs is how
 * the rows are written.
 */
function auditAppend(declarations: string, inLoop: string, afterLoop: string): string {
  return `create function audit_append(chain uuid, entries text[], privates text[], permission_set text)
    returns bigint
    language plpgsql volatile security definer set search_path = ''
    as $$
    declare
      head_size bigint;
      head_hash bytea;
      recorded timestamptz;
      recorded_ms bytea;
      leaf bytea;
      permission_digest text := encode(sha256(convert_to(permission_set, 'UTF8')), 'hex');${declarations}
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
        head_hash := sha256('\\x02'::bytea || head_hash || leaf);${inLoop}
      end loop;${afterLoop}
      update public.audit_heads h set size = head_size, chain_hash = head_hash where h.chain_id = chain;

      if not exists (
        select from public.audit_permission_sets s where s.chain_id = chain and s.digest = permission_digest
      ) then
        insert into public.audit_permission_sets (chain_id, digest, permissions)
          values (chain, permission_digest, permission_set::json);
      end if;
      return head_size;
    end
    $$`;
}

const platformChainId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const insertInto = `
        insert into public.audit_logs
          (chain_id, seq, recorded_at, entry, private, entry_hash, chain_hash,
           id, tenant_id, occurred_at, user_id, area, event, action, resource_type, resource_id, outcome, request_id)`;
const fields = `r.id, r.tenant_id, r.occurred_at, (r.actor ->> 'user_id')::uuid, r.area, r.event, r.action,
            r.resource_type, r.resource_id, r.outcome, r.request_id`;
const recordForm = `as r(id uuid, tenant_id uuid, occurred_at timestamptz, actor json,
            area text, event text, action text, resource_type text, resource_id text, outcome text, request_id text)
          where coalesce(r.tenant_id, '${platformChainId}') = chain
            and r.action in ('create', 'read', 'update', 'delete', 'login', 'logout', 'permission_change')
            and r.outcome in ('success', 'refused', 'failed')
            and r.area in ('admin', 'business')`;
const refuse = `
          raise exception 'the audit entry is of another tenant or not of the known form'
            using errcode = 'check_violation';`;

/** The form before: a statement an entry. */
export const auditAppendOneByOne = auditAppend(
  '',
  `${insertInto}
          select chain, head_size, recorded, entries[place]::json, privates[place]::json, leaf, head_hash,
            ${fields}
          from json_to_record(entries[place]::json) ${recordForm}
            and privates[place] is not null;
        if not found then${refuse}
        end if;`,
  '',
);

/**
 * All entries of a transaction in one statement: a bulk change writes hundreds of them. A single one, which is what nearly
 * every change writes, goes without the arrays.
 */
export const auditAppendTogether = auditAppend(
  `
      first_seq bigint;
      leaves bytea[] := '{}';
      hashes bytea[] := '{}';
      written bigint;`,
  `
        leaves[place] := leaf;
        hashes[place] := head_hash;`,
  `
      if cardinality(entries) = 1 then${insertInto}
          select chain, head_size, recorded, entries[1]::json, privates[1]::json, leaf, head_hash,
            ${fields}
          from json_to_record(entries[1]::json) ${recordForm}
            and privates[1] is not null;
      else
        first_seq := head_size - cardinality(entries);${insertInto}
          select chain, first_seq + e.place, recorded, e.entry::json, e.private::json, e.leaf, e.hash,
            ${fields}
          from unnest(entries, privates, leaves, hashes) with ordinality as e(entry, private, leaf, hash, place)
          cross join lateral json_to_record(e.entry::json) ${recordForm}
            and e.private is not null
          order by e.place;
      end if;
      get diagnostics written = row_count;
      if written <> cardinality(entries) then${refuse}
      end if;`,
);
