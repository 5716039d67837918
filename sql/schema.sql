-- What every object of the extension must have.
\set ON_ERROR_STOP on

-- A comment: relations and types, columns, functions, triggers.
with relation as (
	select c.oid, c.relname, c.relkind
	from pg_class as c
	where c.relnamespace = 'cctv'::regnamespace and not c.relispartition and c.relkind in ('r', 'p', 'v', 'm', 'c')
)
select 'relation' as kind, oid::regclass::text as object
from relation
where obj_description(oid, 'pg_class') is null and relkind <> 'c'
union all
select 'type', t.oid::regtype::text
from pg_type as t
	join relation as r on r.oid = t.typrelid
where r.relkind = 'c' and obj_description(t.oid, 'pg_type') is null
union all
select 'column', r.oid::regclass || '.' || a.attname
from relation as r
	join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
where col_description(r.oid, a.attnum) is null
union all
select 'function', oid::regprocedure::text
from pg_proc
where pronamespace = 'cctv'::regnamespace and obj_description(oid, 'pg_proc') is null
union all
select 'trigger', t.tgname || ' on ' || r.oid::regclass
from relation as r
	join pg_trigger as t on t.tgrelid = r.oid and not t.tgisinternal
where obj_description(t.oid, 'pg_trigger') is null
union all
select 'schema', nspname
from pg_namespace
where nspname = 'cctv' and obj_description(oid, 'pg_namespace') is null
order by 1, 2;

-- A pinned search_path.
select oid::regprocedure as function_without_search_path
from pg_proc
where pronamespace = 'cctv'::regnamespace and prokind <> 'a'
	and not coalesce(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)
order by 1;

-- Nothing for PUBLIC.
select p.oid::regprocedure as public_function
from pg_proc as p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
where p.pronamespace = 'cctv'::regnamespace and a.grantee = 0
order by 1;
select c.oid::regclass as public_relation, a.privilege_type
from pg_class as c,
	aclexplode(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))) as a
where c.relnamespace = 'cctv'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S') and a.grantee = 0
order by 1;
select n.nspname as public_schema, a.privilege_type
from pg_namespace as n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
where n.nspname = 'cctv' and a.grantee = 0;

-- A security definer is never a superuser, nor does a view show what one sees.
select p.oid::regprocedure as superuser_definer
from pg_proc as p
	join pg_roles as r on r.oid = p.proowner
where p.pronamespace = 'cctv'::regnamespace and p.prosecdef and r.rolsuper
order by 1;
select c.oid::regclass as superuser_view
from pg_class as c
	join pg_roles as r on r.oid = c.relowner
where c.relnamespace = 'cctv'::regnamespace and c.relkind in ('v', 'm') and r.rolsuper
	and 'security_invoker=true' <> all (coalesce(c.reloptions, '{}'))
order by 1;

-- The worker's role.
select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin,
	exists (select from pg_auth_members where roleid = r.oid or member = r.oid) as has_memberships
from pg_roles as r
where rolname = 'cctv_worker';

-- Triggers that wake the worker fire for replicated changes too.
select tgrelid::regclass as wakes_not_always
from pg_trigger
where tgfoid = 'cctv.wake'::regproc and tgenabled <> 'A';

-- Names of constraints say what is wrong: none is the server's choice.
select conrelid::regclass as "table", conname
from pg_constraint
where connamespace = 'cctv'::regnamespace and contype = 'c' and conname ~ '_check[0-9]*$'
	and not (select relispartition from pg_class where oid = conrelid)
order by 1, 2;

-- pg_dump takes these along.
select c.oid::regclass as dumped, nullif(condition, '') as condition
from pg_extension as e, unnest(e.extconfig, e.extcondition) as d (config, condition)
	join pg_class as c on c.oid = d.config
where e.extname = 'pg_cctv' and c.relname in ('models', 'cameras', 'camera_events', 'tracks', 'alerts',
	'cameras_camera_id_seq', 'camera_events_event_id_seq', 'tracks_track_id_seq', 'alerts_alert_id_seq',
	'camera_secrets', 'camera_status', 'sessions', 'engine_status')
order by c.oid::regclass::text collate "C";

-- The library is the extension's.
select cctv.version() = extversion as same_version from pg_extension where extname = 'pg_cctv';
