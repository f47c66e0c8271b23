/** What of the functions is granted and dropped by name. */
export const onboardingSignatures = [
  'generate_onboarding_token()',
  'expire_old_onboarding_links(timestamptz, uuid)',
  'track_onboarding_link_access(uuid, text, text, text)',
  'find_onboarding_link(bytea)',
  'onboarding_links_due(int)',
];

/** Those that look across tenants; they are on the tested list. */
export const onboardingDefinerSignatures = ['find_onboarding_link(bytea)', 'onboarding_links_due(int)'];

/** The functions of onboarding links (S3-24..26, S3-49). Frozen with the migration that creates them. */
export const onboardingFunctions = [
  // 24 random bytes as base64url. A version 4 UUID has 13 bytes that are all random: 0 to 5 and 9 to 15.
  `create function generate_onboarding_token() returns text
    language sql volatile set search_path = ''
    as $$
      select translate(
        encode(substring(string_agg(substring(u from 1 for 6) || substring(u from 10 for 7), ''::bytea) from 1 for 24), 'base64'),
        '+/', '-_')
      from (select uuid_send(gen_random_uuid()) as u from generate_series(1, 2)) drawn
    $$`,

  // The one place where links expire. Each row is claimed by its condition, so whoever comes second finds nothing: the
  // workflow of a link (one link, by its own clock) and the sweep (all of a tenant, by the clock of the database).
  `create function expire_old_onboarding_links(p_at timestamptz default now(), p_link_id uuid default null)
    returns table (link_id uuid, former_status text, ended_at timestamptz)
    language plpgsql volatile set search_path = ''
    as $$
      declare
        former_access text := current_setting('app.onboarding_access', true);
      begin
        perform set_config('app.onboarding_access', 'manage', true);
        return query
          with due as (
            select l.id, l.status from public.onboarding_link l
            where l.status in ('pending', 'opened', 'in_progress') and l.expires_at <= p_at
              and (p_link_id is null or l.id = p_link_id)
            order by l.expires_at limit 1000 for no key update
          )
          update public.onboarding_link l set status = 'expired', updated_at = clock_timestamp()
          from due where l.id = due.id
          returning l.id, due.status, l.expires_at::timestamptz;
        perform set_config('app.onboarding_access', coalesce(former_access, ''), true);
      end
    $$`,

  // Records an access and answers with what may be shown of the link. Without an outcome of its own an access is a look:
  // the state of the link decides what it was. Nothing but the access record changes (S3-54).
  `create function track_onboarding_link_access(
      p_link_id uuid, p_ip text, p_user_agent text, p_outcome text default null)
    returns table (outcome text, is_first boolean, recipient_name text, purpose text, status text, capabilities text[],
      expires_at timestamptz, progress jsonb, progress_percent int, current_step text, version int)
    language plpgsql volatile set search_path = ''
    as $$
      declare
        former_access text := current_setting('app.onboarding_access', true);
        link public.onboarding_link;
        found_outcome text;
        is_alive boolean;
      begin
        perform set_config('app.onboarding_access', 'manage', true);
        select * into link from public.onboarding_link l where l.id = p_link_id for no key update;
        if not found then
          perform set_config('app.onboarding_access', coalesce(former_access, ''), true);
          return;
        end if;
        found_outcome := coalesce(p_outcome, case
          when link.status = 'revoked' then 'revoked'
          when link.status = 'completed' then 'already_completed'
          when link.status = 'expired' or link.expires_at <= now() then 'expired'
          else 'shown' end);
        is_alive := found_outcome in ('shown', 'saved', 'completed');
        insert into public.onboarding_link_access (tenant_id, link_id, ip, user_agent, outcome)
        values (link.tenant_id, link.id, p_ip, p_user_agent, found_outcome);
        update public.onboarding_link l set
          access_count = l.access_count + 1,
          first_accessed_at = case when is_alive then coalesce(l.first_accessed_at, now()) else l.first_accessed_at end,
          last_accessed_at = now(), last_ip = p_ip, last_user_agent = p_user_agent
        where l.id = link.id;
        perform set_config('app.onboarding_access', coalesce(former_access, ''), true);
        return query select found_outcome, is_alive and link.first_accessed_at is null, link.recipient_name, link.purpose,
          link.status, link.capabilities, link.expires_at::timestamptz, link.progress, link.progress_percent,
          link.current_step, link.version;
      end
    $$`,

  // Whose link a token is: all that can be learned without a tenant.
  `create function find_onboarding_link(p_token_hash bytea) returns table (tenant_id uuid, link_id uuid)
    language sql stable security definer set search_path = ''
    as $$
      select l.tenant_id, l.id from public.onboarding_link l where l.token_hash = p_token_hash
    $$`,

  // Links that need looking after: past their time and still open, or changed since their workflow looked last.
  `create function onboarding_links_due(p_limit int) returns table (tenant_id uuid, link_id uuid, is_overdue boolean)
    language sql stable security definer set search_path = ''
    as $$
      select l.tenant_id, l.id, l.status in ('pending', 'opened', 'in_progress') and l.expires_at <= now()
      from public.onboarding_link l
      where (l.status in ('pending', 'opened', 'in_progress') and l.expires_at <= now())
        or l.attended_at is null or l.attended_at < greatest(l.updated_at, l.first_accessed_at)
      order by l.updated_at limit p_limit
    $$`,
];
