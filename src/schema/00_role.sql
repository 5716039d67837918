-- pg_cctv: roles, and the schema.
\echo Use "CREATE EXTENSION pg_cctv" to load this file. \quit

-- The worker connects as this role and never as a superuser.  CONNECTION LIMIT
-- 0 keeps everybody else out; background workers are not counted.  A role of
-- this name with more rights than it needs, or one that somebody can become,
-- would hand them what the worker may read: refuse it.
do $$
declare
	worker pg_catalog.pg_authid;
begin
	select * into worker from pg_catalog.pg_authid where rolname = 'cctv_worker';
	if not found then
		create role cctv_worker login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
			connection limit 0;
		comment on role cctv_worker is 'Background worker of pg_cctv; nobody else can connect as it';
		return;
	end if;
	if worker.rolsuper or worker.rolcreaterole or worker.rolcreatedb
		or worker.rolreplication or worker.rolbypassrls
	then
		raise exception 'role "cctv_worker" has more rights than the worker may have'
			using errcode = 'invalid_role_specification',
				detail = 'It must not be superuser, nor have CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS.',
				hint = 'Use: alter role cctv_worker nosuperuser nocreaterole nocreatedb noreplication nobypassrls.';
	end if;
	if not worker.rolcanlogin then
		raise exception 'role "cctv_worker" cannot log in'
			using errcode = 'invalid_role_specification',
				hint = 'Use: alter role cctv_worker login connection limit 0.';
	end if;
	if worker.rolconnlimit <> 0 then
		raise exception 'role "cctv_worker" has no connection limit of 0'
			using errcode = 'invalid_role_specification',
				detail = 'A session of it can read the cameras'' passwords; background workers are not counted.',
				hint = 'Use: alter role cctv_worker connection limit 0.';
	end if;
	if worker.rolpassword is not null then
		raise exception 'role "cctv_worker" has a password'
			using errcode = 'invalid_role_specification',
				hint = 'Use: alter role cctv_worker password null.';
	end if;
	if exists (
		select from pg_catalog.pg_auth_members
		where roleid = worker.oid or member = worker.oid)
	then
		raise exception 'role "cctv_worker" has members, or is a member of a role'
			using errcode = 'invalid_role_specification',
				detail = 'Whoever can become cctv_worker can read the cameras'' passwords.',
				hint = 'Revoke those memberships: \drg cctv_worker or \du cctv_worker lists them.';
	end if;
end
$$;

-- Roles for people, who are made members of them.  Roles are the cluster's: they
-- stay when the extension goes, and other databases use them as well.
do $$
declare
	needed record;
begin
	for needed in
		select * from (values
			('cctv_viewer', null, 'Members may see cameras of pg_cctv that are theirs or granted to them'),
			('cctv_operator', 'cctv_viewer', 'Members may also operate them: start, stop, acknowledge, record, export'),
			('cctv_admin', 'cctv_operator', 'Members may do everything in the extension pg_cctv, with every camera'))
			as r (name, parent, description)
	loop
		if not exists (select from pg_catalog.pg_roles where rolname = needed.name) then
			execute pg_catalog.format('create role %I nologin', needed.name);
			execute pg_catalog.format('comment on role %I is %L', needed.name, needed.description);
		end if;
		if needed.parent is not null and not exists (
			select from pg_catalog.pg_auth_members
			where roleid = needed.parent::pg_catalog.regrole and member = needed.name::pg_catalog.regrole)
		then
			execute pg_catalog.format('grant %I to %I', needed.parent, needed.name);
		end if;
	end loop;
end
$$;

create schema cctv;
comment on schema cctv is 'CCTV analytics: cameras, what they see, and alerts';
grant usage, create on schema cctv to cctv_worker;
