/** `audit_drop_segment` as it was until T-17, for the way down. Frozen with the migration that replaces it. */
export const oldDropSegment = 'audit_drop_segment(uuid, bigint, bytea, bytea[], text, text, bytea, timestamptz)';

export const createOldDropSegment: readonly string[] = [
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
  `revoke all on function ${oldDropSegment} from public`,
  `grant execute on function ${oldDropSegment} to castellan_app`,
  `alter function ${oldDropSegment} owner to castellan_definer`,
];
