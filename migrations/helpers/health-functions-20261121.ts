/** The functions of system health that look across tenants or write rows of none; they are on the tested list. */
export const healthSignatures = [
  'record_platform_health(timestamptz, text[], double precision[], text[])',
  'roll_up_system_health(int, int, timestamptz, int)',
  'purge_system_health(int, timestamptz, int)',
  'health_tenants(uuid, int)',
];

/** What the functions do. Frozen with the migration that creates them. */
export const healthFunctions = [
  // Measurements of the platform, once for each metric and moment: a repeated round changes nothing.
  `create function record_platform_health(p_at timestamptz, p_metrics text[], p_values double precision[], p_reasons text[])
    returns int
    language plpgsql volatile security definer set search_path = ''
    as $$
      declare
        recorded int;
      begin
        insert into public.admin_system_health
          (tenant_id, metric, resolution_seconds, at, value, min_value, max_value, known_count, unknown_count, reason)
        select null, m.metric, 0, p_at, m.value, m.value, m.value,
          case when m.value is null then 0 else 1 end, case when m.value is null then 1 else 0 end, m.reason
        from unnest(p_metrics, p_values, p_reasons) as m(metric, value, reason)
        on conflict do nothing;
        get diagnostics recorded = row_count;
        return recorded;
      end
    $$`,

  // Draws rows of one resolution together to the next, all tenants at once, from where it stopped and for at most so
  // many stretches; only those that ended before p_until. Answers with how many stretches it worked through, 0 when
  // done.
  `create function roll_up_system_health(p_from int, p_to int, p_until timestamptz, p_stretches int) returns int
    language plpgsql volatile security definer set search_path = ''
    as $$
      declare
        step interval := make_interval(secs => p_to);
        origin constant timestamptz := '2000-01-01T00:00:00Z';
        first_at timestamptz;
        end_at timestamptz;
      begin
        select date_bin(step, min(h.at), origin) into first_at
        from public.admin_system_health h
        where h.resolution_seconds = p_from
          and h.at >= coalesce(
            (select max(done.at) + step from public.admin_system_health done where done.resolution_seconds = p_to),
            '-infinity');
        end_at := least(first_at + p_stretches * step, date_bin(step, p_until, origin));
        if first_at is null or first_at >= end_at then
          return 0;
        end if;
        insert into public.admin_system_health
          (tenant_id, metric, resolution_seconds, at, value, min_value, max_value, known_count, unknown_count)
        select h.tenant_id, h.metric, p_to, date_bin(step, h.at, origin),
          sum(h.value * h.known_count) / nullif(sum(h.known_count), 0),
          min(h.min_value), max(h.max_value), sum(h.known_count), sum(h.unknown_count)
        from public.admin_system_health h
        where h.resolution_seconds = p_from and h.at >= first_at and h.at < end_at
        group by h.tenant_id, h.metric, date_bin(step, h.at, origin)
        on conflict do nothing;
        return extract(epoch from end_at - first_at)::int / p_to;
      end
    $$`,

  // Removes at most so many rows of a resolution that are older than its retention; answers with how many.
  `create function purge_system_health(p_resolution int, p_before timestamptz, p_batch int) returns int
    language plpgsql volatile security definer set search_path = ''
    as $$
      declare
        removed int;
      begin
        delete from public.admin_system_health where id in (
          select h.id from public.admin_system_health h
          where h.resolution_seconds = p_resolution and h.at < p_before
          order by h.at limit p_batch
        );
        get diagnostics removed = row_count;
        return removed;
      end
    $$`,

  // Tenants that watch something, or whose queues are to be measured: a page of ids.
  `create function health_tenants(after_tenant uuid, page_size int) returns table (tenant_id uuid)
    language sql stable security definer set search_path = ''
    as $$
      select t.id from public.tenants t
      where t.status = 'active' and (after_tenant is null or t.id > after_tenant)
        and (
          exists (select from public.admin_alert_thresholds h where h.tenant_id = t.id and h.is_enabled and h.removed_at is null)
          or exists (select from public.admin_alerts a where a.tenant_id = t.id and (a.status in ('pending', 'firing')
            or (a.status = 'resolved' and a.resolved_told_at is null and a.suppressed_at is null)))
          or exists (select from public.admin_alert_silences s
            where s.tenant_id = t.id and s.ended_at is null and s.lapse_told_at is null)
          or exists (select from public.admin_queues q where q.tenant_id = t.id and q.removed_at is null)
        )
      order by t.id limit page_size
    $$`,
];
