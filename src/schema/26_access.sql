-- Who may do what with which camera.
--
-- The roles cctv_viewer, cctv_operator and cctv_admin say what their members
-- may do; owner and grants of a camera say with which ones.  Row security asks
-- cctv.my_cameras() once a query.

create table cctv.camera_grants (
	camera_id integer references cctv.cameras on delete cascade,
	role regrole not null,
	privilege text not null default 'view',
	granted_by regrole not null default quote_ident(current_user)::regrole,
	granted_at timestamptz not null default now(),
	constraint privilege_is_view_or_operate check (privilege in ('view', 'operate'))
);
create unique index camera_grants_key on cctv.camera_grants (coalesce(camera_id, 0), role);
comment on table cctv.camera_grants is
	'Roles that may see or operate cameras besides their owners and cctv_admin. See cctv.grant_camera()';
comment on column cctv.camera_grants.camera_id is 'Camera; null: every camera';
comment on column cctv.camera_grants.role is 'Role whose members may';
comment on column cctv.camera_grants.privilege is 'view, or operate, which includes it';
comment on column cctv.camera_grants.granted_by is 'Who granted it';
comment on column cctv.camera_grants.granted_at is 'When it was granted';

-- Cameras on which a role holds a privilege; 0 stands for every camera, also
-- those to come.  The owner and cctv_admin manage a camera, which includes the
-- rest.
create function cctv.cameras_of(role oid, privilege text) returns integer[]
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	set row_security = on
	as $$
#variable_conflict use_variable
begin
	if role = 'cctv_worker'::regrole or pg_has_role(role, 'cctv_admin', 'usage') then
		return array(select c.camera_id from cctv.cameras as c) || 0;
	end if;
	return array(
		select c.camera_id from cctv.cameras as c
		where pg_has_role(role, c.owner, 'usage')
			or exists (
				select from cctv.camera_grants as g
				where (g.camera_id = c.camera_id or g.camera_id is null)
					and (privilege = 'view' or privilege = g.privilege) and pg_has_role(role, g.role, 'usage'))
		union all
		select 0
		where exists (
			select from cctv.camera_grants as g
			where g.camera_id is null
				and (privilege = 'view' or privilege = g.privilege) and pg_has_role(role, g.role, 'usage')));
end
$$;
comment on function cctv.cameras_of(oid, text) is
	'Cameras that a role may view, operate or manage; 0 among them stands for every camera';

create function cctv.my_cameras(privilege text) returns setof integer
	language c stable strict parallel safe rows 10
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_my_cameras';
comment on function cctv.my_cameras(text) is
	'Cameras that the current role may view, operate or manage; 0 among them stands for every camera';

create function cctv.my_roles() returns setof oid
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$ select r.oid from pg_roles as r where pg_has_role(r.oid, 'usage') $$;
comment on function cctv.my_roles() is 'Roles whose privileges the current role has';

create function cctv.caller() returns regrole
	language c stable strict parallel restricted
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_caller';
comment on function cctv.caller() is
	'The role in force outside all SECURITY DEFINER functions, SET ROLE included';

create function cctv.only_worker() returns void
	language c stable strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_only_worker';
comment on function cctv.only_worker() is 'Raises an error unless the worker, or a superuser, is the caller';

create function cctv.only_on(relation oid, own regclass[]) returns void
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
begin
	if relation <> all (own) then
		raise exception 'this trigger function of pg_cctv is not for table %', relation::regclass
			using errcode = 'insufficient_privilege';
	end if;
end
$$;
comment on function cctv.only_on(oid, regclass[]) is
	'Raises an error when a trigger function of the extension was attached to a table that is not its own';

-- A camera that does not exist and one that the caller may not see are the same
-- to them.
create function cctv.checked_camera(camera integer, privilege text) returns integer
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.camera_id(camera);
	if camera not in (select cctv.my_cameras(privilege)) then
		raise exception 'permission denied to % camera "%"', privilege,
				(select c.name from cctv.cameras as c where c.camera_id = camera)
			using errcode = 'insufficient_privilege',
				hint = case privilege
					when 'manage' then 'Its owner and the members of cctv_admin may.'
					else format('Its owner and the members of cctv_admin may, and can grant it: select cctv.grant_camera(%s, ''%s'', %L).',
						camera, current_user, privilege)
				end;
	end if;
	return camera;
end
$$;
comment on function cctv.checked_camera(integer, text) is
	'The key itself when the current role may view, operate or manage the camera; else an error';

-- How much a notification carries: channels of NOTIFY have no access control,
-- so what is granted to some must not be told to all.  The same holds once
-- somebody who is not of cctv_admin owns a camera.
create function cctv.notify_detail() returns text
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select case
		when exists (select from cctv.camera_grants)
			or exists (select from cctv.cameras as c where not pg_has_role(c.owner, 'cctv_admin', 'usage'))
		then 'id'
		else coalesce(current_setting('cctv.notify_detail', true), 'full')
	end
$$;
comment on function cctv.notify_detail() is
	'How much notifications carry: as the setting cctv.notify_detail says, but id once cameras are not everybody''s';

-- What row security cannot tell, as it looks at one row at a time: which
-- columns change.  Files and devices are the server's: who may name them reads
-- what the server reads.
create function cctv.camera_guard() returns trigger
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	operated constant text[] := '{enabled,run,record_manual,updated_at}';
begin
	if pg_has_role('cctv_admin', 'usage') then
		return new;
	end if;
	if (new.url like '/%' and (tg_op = 'INSERT' or new.url is distinct from old.url))
		or (new.detect_url like '/%' and (tg_op = 'INSERT' or new.detect_url is distinct from old.detect_url))
	then
		raise exception 'permission denied to read files and devices of the server'
			using errcode = 'insufficient_privilege',
				hint = 'Members of cctv_admin may add cameras that are files or devices.';
	end if;
	if tg_op = 'INSERT' then
		return new;
	end if;
	if to_jsonb(new) - operated <> to_jsonb(old) - operated and old.camera_id not in (select cctv.my_cameras('manage')) then
		raise exception 'permission denied to manage camera "%"', old.name
			using errcode = 'insufficient_privilege',
				detail = 'Who may operate a camera starts and stops it and its recording.',
				hint = 'Its owner and the members of cctv_admin may change its settings.';
	end if;
	if new.owner <> old.owner and not pg_has_role(new.owner, 'usage') then
		raise exception 'permission denied to give camera "%" to role %', old.name, new.owner
			using errcode = 'insufficient_privilege',
				hint = 'You must be a member of that role, or of cctv_admin.';
	end if;
	return new;
end
$$;
comment on function cctv.camera_guard() is
	'Trigger: who operates a camera does not change its settings, and only cctv_admin names files and devices';

-- After camera_changed and camera_credentials, which bring URLs into their
-- form: triggers fire in the order of their names.
create trigger camera_guard before insert or update on cctv.cameras
	for each row execute function cctv.camera_guard();
comment on trigger camera_guard on cctv.cameras is
	'Who operates a camera does not change its settings, and only cctv_admin names files and devices';
