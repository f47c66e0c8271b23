/** What of the functions is granted and dropped by name. */
export const assignmentSignatures = [
  'count_open_contacts()',
  'assignment_pool(uuid, uuid)',
  'get_next_user_round_robin(uuid, uuid, uuid)',
  'get_user_campaign_count(uuid)',
  'get_user_contact_count(uuid)',
];

/** The functions of assignments (S3-11..13). Frozen with the migration that creates them. */
export const assignmentFunctions = [
  `create function count_open_contacts() returns trigger language plpgsql set search_path = '' as $$
    begin
      if tg_op = 'INSERT' then
        update public.user_campaign_assignment p set open_contacts = p.open_contacts + c.added
        from (
          select n.tenant_id, n.user_id, n.campaign_id, count(*)::int as added from new_rows n
          where n.released_at is null and n.campaign_id is not null group by 1, 2, 3
        ) c
        where p.tenant_id = c.tenant_id and p.user_id = c.user_id and p.campaign_id = c.campaign_id and p.is_active;
      else
        update public.user_campaign_assignment p set open_contacts = p.open_contacts + c.added
        from (
          select x.tenant_id, x.user_id, x.campaign_id, sum(x.part)::int as added from (
            select n.tenant_id, n.user_id, n.campaign_id, 1 as part from new_rows n where n.released_at is null
            union all
            select o.tenant_id, o.user_id, o.campaign_id, -1 from old_rows o where o.released_at is null
          ) x
          where x.campaign_id is not null group by 1, 2, 3 having sum(x.part) <> 0
        ) c
        where p.tenant_id = c.tenant_id and p.user_id = c.user_id and p.campaign_id = c.campaign_id and p.is_active;
      end if;
      return null;
    end
  $$`,

  // Who is in the pool, and who of them gets nothing now. A permission counts by the roles that live at this moment.
  `create function assignment_pool(p_campaign_id uuid, p_former_owner uuid default null)
    returns table (pool_id uuid, user_id uuid, weight int, load int, last_turn int, open_contacts int,
      max_open_contacts int, exclusion text)
    language sql stable set search_path = ''
    as $$
      with recursive line (role_id, ancestor_id) as (
        select r.id, r.id from public.admin_roles r
        union
        select line.role_id, r.parent_role_id from line join public.admin_roles r on r.id = line.ancestor_id
        where r.parent_role_id is not null
      ),
      able as (
        select distinct line.role_id from line
        join public.admin_roles r on r.id = line.ancestor_id
        left join public.admin_role_permissions o on o.role_id = r.id
        where r.code = 'role-super-admin' or 'contact:read' = any (coalesce(o.permissions, r.permissions))
      )
      select p.id, p.user_id, p.weight, p.dealt_count + p.credit, p.last_turn, p.open_contacts, p.max_open_contacts,
        case
          when c.status <> 'active' or c.deleted_at is not null then 'campaign_not_active'
          when p.user_id = p_former_owner then 'former_owner'
          when u.status <> 'active' then 'inactive'
          when not exists (
            select from public.admin_role_assignments a join able on able.role_id = a.role_id
            where a.user_id = p.user_id and a.revoked_at is null
              and coalesce(least(a.valid_until, a.review_due_at) > now(), true)
          ) then 'permission_expired'
          when not p.auto_assign then 'excluded'
          when p.paused_until > now() then 'absent'
          when p.open_contacts >= p.max_open_contacts then 'full'
        end
      from public.user_campaign_assignment p
      join public.campaigns c on c.tenant_id = p.tenant_id and c.id = p.campaign_id
      join public.users u on u.tenant_id = p.tenant_id and u.id = p.user_id
      where p.campaign_id = p_campaign_id and p.is_active
      order by p.user_id
    $$`,

  // The rule of src/domain/assignment/auto-assign.ts (chooseNext). Locks the campaign; the statement after the lock sees
  // what the transaction before has committed. One row: user_id is null when nobody can take a contact.
  `create function get_next_user_round_robin(
      p_campaign_id uuid, p_former_owner uuid default null, p_preferred uuid default null)
    returns table (pool_id uuid, user_id uuid, turn int, total_load bigint, total_weight bigint, reason jsonb)
    language plpgsql volatile set search_path = ''
    as $$
    begin
      perform from public.campaigns c where c.id = p_campaign_id for no key update;
      return query
        with pool as materialized (select * from public.assignment_pool(p_campaign_id, p_former_owner)),
        total as (
          select coalesce(sum(p.load), 0)::bigint as load, coalesce(sum(p.weight), 0)::bigint as weight
          from pool p where p.exclusion is null
        ),
        ranked as (
          select p.*, row_number() over (
            order by (t.load + 1) * p.weight - p.load * t.weight desc, coalesce(p.last_turn, 0), p.user_id
          ) as place
          from pool p, total t where p.exclusion is null
        ),
        chosen as (
          select r.pool_id, r.user_id from ranked r order by (r.user_id = p_preferred) is true desc, r.place limit 1
        )
        select c.pool_id, c.user_id, (select coalesce(max(p.last_turn), 0) + 1 from pool p), t.load, t.weight,
          jsonb_build_object(
            'rule_version', 1,
            'candidates', coalesce((
              select jsonb_agg(jsonb_build_object(
                'user_id', r.user_id, 'weight', r.weight, 'load', r.load, 'last_turn', r.last_turn,
                'share', trim_scale(round(((t.load + 1) * r.weight)::numeric / t.weight, 3)),
                'shortfall', trim_scale(round(((t.load + 1) * r.weight - r.load * t.weight)::numeric / t.weight, 3))
              ) order by r.place) from ranked r), '[]'),
            'excluded', coalesce((
              select jsonb_agg(jsonb_build_object('user_id', p.user_id, 'reason', p.exclusion) order by p.user_id)
              from pool p where p.exclusion is not null), '[]'),
            'preferred_user_id', p_preferred,
            'chosen_user_id', c.user_id)
        from total t left join chosen c on true;
    end
    $$`,

  // Counts only, and only of the session's own tenant: lists of users show them to people who may see users (S3-5).
  `create function get_user_campaign_count(p_user_id uuid) returns int
    language sql stable security definer set search_path = ''
    as $$
      select count(*)::int from public.user_campaign_assignment a
      where a.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and a.user_id = p_user_id and a.is_active
    $$`,
  `create function get_user_contact_count(p_user_id uuid) returns int
    language sql stable security definer set search_path = ''
    as $$
      select count(*)::int from public.user_contact_assignment a
      where a.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and a.user_id = p_user_id and a.released_at is null
    $$`,
];
