import { withClient } from '../../src/dev/bootstrap-database.ts';

/** Everything of schema `public` that a migration can make, one line each, in order. Extensions' own things are left out. */
const description = `
  with ours as (
    select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.reloptions from pg_class c
    where c.relnamespace = 'public'::regnamespace
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  )
  select line from (
    select format('%s %s rls=%s/%s acl=%s', relkind, relname, relrowsecurity, relforcerowsecurity,
      (select array_agg(a::text order by a::text) from unnest(relacl) a)) as line
    from ours where relkind in ('r', 'p', 'v', 'm', 'S')
    union all
    select format('column %s.%s %s not null=%s default=%s generated=%s acl=%s', o.relname, a.attname,
      format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated,
      (select array_agg(x::text order by x::text) from unnest(a.attacl) x))
    from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
    where o.relkind in ('r', 'p', 'v', 'm')
    union all
    select format('constraint %s.%s %s', o.relname, k.conname, pg_get_constraintdef(k.oid))
    from ours o join pg_constraint k on k.conrelid = o.oid
    union all
    select format('index %s', pg_get_indexdef(i.indexrelid)) from ours o join pg_index i on i.indrelid = o.oid
    union all
    select format('policy %s.%s permissive=%s command=%s roles=%s using %s check %s', o.relname, p.polname, p.polpermissive,
      p.polcmd, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from ours o join pg_policy p on p.polrelid = o.oid
    union all
    select format('trigger %s', pg_get_triggerdef(t.oid)) from ours o join pg_trigger t on t.tgrelid = o.oid
    where not t.tgisinternal
    union all
    select format('function owner=%s acl=%s %s', pg_get_userbyid(p.proowner),
      (select array_agg(a::text order by a::text) from unnest(p.proacl) a), pg_get_functiondef(p.oid))
    from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    union all
    select format('type %s', t.typname) from pg_type t
    where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
      and not exists (select from pg_depend d where d.objid = t.oid and d.deptype = 'e')
  ) lines order by line collate "C"`;

/** Describes the schema, so that two of them can be compared: tables, columns, keys, policies, triggers, functions. */
export async function describeSchema(adminUrl: string): Promise<string[]> {
  return withClient(adminUrl, async (admin) => {
    const { rows } = await admin.query<{ line: string }>(description);
    return rows.map(({ line }) => line);
  });
}
