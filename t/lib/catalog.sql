-- What the schema cctv consists of, one line for each fact, in an order of its
-- own: two databases with the same extension give the same lines, whichever way
-- it came there.  Without partitions, which come and go, and without parentheses,
-- which an expression gains and loses as it is written out and read again.
with
	acl as (
		-- An owner's own rights may be spelt out or not.
		select oid::regclass as of_table, coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)) as list
		from pg_class
		where relnamespace = 'cctv'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S') and not relispartition),
	facts(fact) as (
		select format('function %s: %s', p.oid::regprocedure,
			case p.prokind
				when 'a' then (
					select format('%s %s %s', a.aggtransfn, a.aggtranstype::regtype, a.agginitval)
					from pg_aggregate as a where a.aggfnoid = p.oid)
				else md5(pg_get_functiondef(p.oid))
			end || ' owner ' || p.proowner::regrole || ' '
				|| coalesce((
					select string_agg(a::text, ' ' order by a::text)
					from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) as a), '') || ' '
				|| coalesce(obj_description(p.oid, 'pg_proc'), ''))
		from pg_proc as p
		where p.pronamespace = 'cctv'::regnamespace
		union all
		select format('relation %s: %s owner %s security %s %s %s %s', c.oid::regclass, c.relkind, c.relowner::regrole,
			c.relrowsecurity, c.relforcerowsecurity, coalesce(array_to_string(c.reloptions, ' '), ''),
			coalesce(obj_description(c.oid, 'pg_class'), ''))
		from pg_class as c
		where c.relnamespace = 'cctv'::regnamespace and not c.relispartition
			and not exists (select from pg_inherits as i where i.inhrelid = c.oid)
			and not exists (
				select from pg_index as i join pg_class as t on t.oid = i.indrelid
				where i.indexrelid = c.oid and t.relispartition)
		union all
		select format('acl of %s: %s', of_table, (select string_agg(a::text, ' ' order by a::text) from unnest(list) as a))
		from acl
		union all
		select format('column %s.%s: %s %s %s %s%s %s %s', c.oid::regclass, a.attname,
			format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
			coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''), coalesce(col_description(c.oid, a.attnum), ''),
			coalesce((select string_agg(x::text, ' ' order by x::text) from unnest(a.attacl) as x), ''))
		from pg_class as c
			join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
			left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
		where c.relnamespace = 'cctv'::regnamespace and c.relkind in ('r', 'p', 'v', 'c', 'm') and not c.relispartition
		union all
		select format('constraint %s of %s: %s', k.conname, k.conrelid::regclass, translate(pg_get_constraintdef(k.oid), '() ', ''))
		from pg_constraint as k
			join pg_class as c on c.oid = k.conrelid
		where k.connamespace = 'cctv'::regnamespace and not c.relispartition
		union all
		select 'index: ' || pg_get_indexdef(i.indexrelid)
		from pg_index as i
			join pg_class as c on c.oid = i.indrelid
		where c.relnamespace = 'cctv'::regnamespace and not c.relispartition
		union all
		select format('trigger: %s %s %s', pg_get_triggerdef(t.oid), t.tgenabled, coalesce(obj_description(t.oid, 'pg_trigger'), ''))
		from pg_trigger as t
			join pg_class as c on c.oid = t.tgrelid
		where c.relnamespace = 'cctv'::regnamespace and not t.tgisinternal and not c.relispartition
		union all
		select format('policy %s on %s: %s %s %s %s %s', p.polname, p.polrelid::regclass, p.polcmd, p.polpermissive,
			array(select r::regrole from unnest(p.polroles) as r order by 1),
			translate(pg_get_expr(p.polqual, p.polrelid), '() ', ''), translate(pg_get_expr(p.polwithcheck, p.polrelid), '() ', ''))
		from pg_policy as p
			join pg_class as c on c.oid = p.polrelid
		where c.relnamespace = 'cctv'::regnamespace
		union all
		select format('view %s: %s', c.oid::regclass, translate(pg_get_viewdef(c.oid), e'() \n', ''))
		from pg_class as c
		where c.relnamespace = 'cctv'::regnamespace and c.relkind = 'v'
		union all
		select 'member: ' || pg_describe_object(d.classid, d.objid, 0)
		from pg_depend as d
			join pg_extension as e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
		where e.extname = 'pg_cctv' and d.deptype = 'e'
		union all
		select format('dumped: %s %s', c.table_oid::regclass, coalesce(e.extcondition[c.n], ''))
		from pg_extension as e, unnest(e.extconfig) with ordinality as c (table_oid, n)
		where e.extname = 'pg_cctv'
		union all
		select format('version %s, schema owner %s, %s', e.extversion, n.nspowner::regrole,
			(select string_agg(a::text, ' ' order by a::text) from unnest(n.nspacl) as a))
		from pg_extension as e, pg_namespace as n
		where e.extname = 'pg_cctv' and n.nspname = 'cctv')
select string_agg(fact, e'\n' order by fact collate "C") from facts;
