/**
 * The SQL functions of the audit's retention (T-17). Frozen with the migration that creates them. The formulas are those
 * of `src/domain/audit/audit-chain.ts` and `audit-merkle.ts`.
 */

const refused = "using errcode = 'check_violation'";

/** In the order in which they need each other. They run with the rights of their caller. */
export const checkedTreeFunctions: readonly string[] = [
  // Root of a power of two of neighbours.
  `create function audit_fold(hashes bytea[]) returns bytea
    language plpgsql immutable set search_path = ''
    as $$
    begin
      while cardinality(hashes) > 1 loop
        hashes := (
          select array_agg(pair.hash order by pair.place)
          from (
            select (one.place - 1) / 2 as place,
              sha256('\\x01'::bytea || string_agg(one.hash, ''::bytea order by one.place)) as hash
            from unnest(hashes) with ordinality as one(hash, place)
            group by (one.place - 1) / 2
          ) pair);
      end loop;
      return hashes[1];
    end
    $$`,

  // Root of a complete subtree, out of the nearest stored level below it; level 0 are the rows. Null where any is missing.
  `create function audit_subtree(chain uuid, level int, index bigint) returns bytea
    language plpgsql stable set search_path = ''
    as $$
    declare
      kept int := level - level % 8;
      width bigint := 1::bigint << (level % 8);
      hashes bytea[];
    begin
      if kept = 0 then
        select array_agg(l.entry_hash order by l.seq) into hashes from public.audit_logs l
          where l.chain_id = chain and l.seq > index * width and l.seq <= (index + 1) * width;
      else
        select array_agg(n.hash order by n.index) into hashes from public.audit_tree_nodes n
          where n.chain_id = chain and n.level = kept and n.index >= audit_subtree.index * width
            and n.index < (audit_subtree.index + 1) * width;
      end if;
      return case when cardinality(hashes) = width then public.audit_fold(hashes) end;
    end
    $$`,

  // The right edge of the tree of the first rows: the roots of its complete subtrees, the largest first.
  `create function audit_edge(chain uuid, size bigint) returns bytea[]
    language plpgsql stable set search_path = ''
    as $$
    declare
      edge bytea[] := '{}';
      start bigint := 0;
      level int;
    begin
      while start < size loop
        level := 0;
        while start % (2::bigint << level) = 0 and start + (2::bigint << level) <= size loop
          level := level + 1;
        end loop;
        edge := edge || public.audit_subtree(chain, level, start >> level);
        start := start + (1::bigint << level);
      end loop;
      return edge;
    end
    $$`,

  // Root of a tree out of its edge; null where a part is missing.
  `create function audit_root(edge bytea[]) returns bytea
    language plpgsql immutable set search_path = ''
    as $$
    declare
      root bytea := edge[cardinality(edge)];
    begin
      for place in reverse cardinality(edge) - 1 .. 1 loop
        root := sha256('\\x01'::bytea || edge[place] || root);
      end loop;
      return root;
    end
    $$`,

  // The origin, size and root that a checkpoint states in its first lines (C2SP tlog-checkpoint), without its signature.
  `create function audit_note_states(note text, chain uuid, size bigint, root bytea) returns boolean
    language sql immutable set search_path = ''
    as $$
      select split_part(note, E'\\n', 1) = 'castellan/audit/' || chain::text and split_part(note, E'\\n', 2) = size::text
        and (root is null or split_part(note, E'\\n', 3) = encode(root, 'base64'))
    $$`,

  `create function audit_check_tree_node() returns trigger
    language plpgsql set search_path = ''
    as $$
    begin
      if new.level < 8 or new.level % 8 <> 0
        or new.hash is distinct from (
          select public.audit_fold(array_agg(part.hash order by part.place))
          from (
            select l.seq as place, l.entry_hash as hash from public.audit_logs l
              where new.level = 8 and l.chain_id = new.chain_id and l.seq > new.index * 256 and l.seq <= (new.index + 1) * 256
            union all
            select n.index, n.hash from public.audit_tree_nodes n
              where new.level > 8 and n.chain_id = new.chain_id and n.level = new.level - 8
                and n.index >= new.index * 256 and n.index < (new.index + 1) * 256
          ) part having count(*) = 256)
      then
        raise exception 'node % of level % is not what the rows give', new.index, new.level ${refused};
      end if;
      return new;
    end
    $$`,

  `create function audit_check_checkpoint() returns trigger
    language plpgsql set search_path = ''
    as $$
    declare
      link bytea;
    begin
      new.created_at := clock_timestamp();
      select l.chain_hash into link from public.audit_logs l where l.chain_id = new.chain_id and l.seq = new.size;
      if link is distinct from new.chain_hash
        or new.frontier is distinct from public.audit_edge(new.chain_id, new.size)
        or new.root_hash is distinct from public.audit_root(new.frontier)
        or not public.audit_note_states(new.note, new.chain_id, new.size, new.root_hash)
      then
        raise exception 'the checkpoint of % rows is not what the rows give', new.size ${refused};
      end if;
      return new;
    end
    $$`,
];

export const checkedTreeSignatures: readonly string[] = [
  'audit_fold(bytea[])',
  'audit_subtree(uuid, int, bigint)',
  'audit_edge(uuid, bigint)',
  'audit_root(bytea[])',
  'audit_note_states(text, uuid, bigint, bytea)',
  'audit_check_tree_node()',
  'audit_check_checkpoint()',
];

export const dropSegmentSignature =
  'audit_drop_segment(uuid, bigint, bytea, bytea, bigint, text, text, text, bytea, text, text)';

/**
 * Drops the rows up to `until_seq`, with their record and the chained entry that says so, or nothing of it.
 *
 * `root` and `link` are what the archive gives at its last row; they have to be what the rows give. `signed_note` is the
 * checkpoint from `outside` that covers them, of which the caller has verified the signature. `stated` and `hidden` are
 * the two parts of the entry `audit.segment-drop`.
 */
export const dropSegment = `create function audit_drop_segment(
    chain uuid, until_seq bigint, root bytea, link bytea, signed_size bigint, signed_note text,
    outside text, archive text, digest bytea, stated text, hidden text)
  returns bigint
  language plpgsql volatile security definer set search_path = ''
  as $$
  declare
    head_size bigint;
    first_seq bigint;
    days int;
    newest timestamptz;
    found_rows bigint;
    hashed boolean;
    found_link bytea;
    stored_link bytea;
    leaf bytea;
    edge bytea[];
  begin
    if chain is distinct from nullif(current_setting('app.tenant_id', true), '')::uuid then
      raise exception 'segments are dropped by a session of their own tenant' using errcode = 'insufficient_privilege';
    end if;
    -- Appends wait, and so does a second call, which then finds the segment recorded.
    select h.size into head_size from public.audit_heads h where h.chain_id = chain and h.size > until_seq for update;
    if not found then
      raise exception 'the chain does not go on behind %', until_seq ${refused};
    end if;
    select coalesce(max(s.to_seq), 0) + 1 into first_seq from public.audit_segments s where s.chain_id = chain;
    if until_seq < first_seq then
      return 0;
    end if;
    select s.keep_days into strict days from public.audit_retention_settings s;
    select count(*), max(l.recorded_at),
        bool_and(l.entry_hash = sha256('\\x00'::bytea || int8send(l.seq)
          || int8send((extract(epoch from l.recorded_at) * 1000)::bigint) || convert_to(l.entry::text, 'UTF8')))
      into found_rows, newest, hashed
      from public.audit_logs l where l.chain_id = chain and l.seq between first_seq and until_seq;
    if found_rows <> until_seq - first_seq + 1 then
      raise exception 'the segment has % rows of %', found_rows, until_seq - first_seq + 1 ${refused};
    end if;
    -- The clock of the database, not now(): a transaction that was begun long ago must not look older or younger.
    if newest >= clock_timestamp() - make_interval(days => days) then
      raise exception 'rows up to % are younger than % days', until_seq, days ${refused};
    end if;
    select coalesce(
        (select s.chain_hash from public.audit_segments s where s.chain_id = chain and s.to_seq = first_seq - 1),
        sha256(convert_to('castellan/audit/v1/' || chain::text, 'UTF8')))
      into found_link;
    for leaf in
      select l.entry_hash from public.audit_logs l
      where l.chain_id = chain and l.seq between first_seq and until_seq order by l.seq
    loop
      found_link := sha256('\\x02'::bytea || found_link || leaf);
    end loop;
    select l.chain_hash into stored_link from public.audit_logs l where l.chain_id = chain and l.seq = until_seq;
    edge := public.audit_edge(chain, until_seq);
    if hashed is not true or found_link is distinct from link or stored_link is distinct from link
      or public.audit_root(edge) is distinct from root
    then
      raise exception 'rows % to % are not those of the archive', first_seq, until_seq ${refused};
    end if;
    if signed_size < until_seq or signed_size > head_size
      or not public.audit_note_states(signed_note, chain, signed_size, null)
    then
      raise exception 'the checkpoint does not cover %', until_seq ${refused};
    end if;
    if stated::json ->> 'event' is distinct from 'audit.segment-drop'
      or stated::json ->> 'resource_id' is distinct from until_seq::text
      or hidden::json #>> '{new_values,archive_name}' is distinct from archive
      or hidden::json #>> '{new_values,archive_digest}' is distinct from encode(digest, 'hex')
    then
      raise exception 'the entry does not name the segment and its archive' ${refused};
    end if;
    insert into public.audit_segments
      (chain_id, to_seq, from_seq, root_hash, chain_hash, frontier, note, archive_name, archive_digest, witness, recorded_until)
      values (chain, until_seq, first_seq, root, link, edge, signed_note, archive, digest, outside, newest);
    delete from public.audit_logs l where l.chain_id = chain and l.seq between first_seq and until_seq;
    perform public.audit_append(chain, array[stated], array[hidden], '[]');
    return found_rows;
  end
  $$`;
