-- Granting cameras, as people call it.

create function cctv.role_named(role text) returns regrole
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_variable
declare
	found_role regrole := (select r.oid from pg_roles as r where r.rolname = role);
begin
	if found_role is null then
		raise exception 'role "%" does not exist', role
			using errcode = 'undefined_object',
				hint = case when role = 'public' then 'Nothing is granted to PUBLIC; cctv_viewer is whoever may see.'
					else 'See the roles with: select rolname from pg_roles.'
				end;
	end if;
	return found_role;
end
$$;
comment on function cctv.role_named(text) is 'A role by its name; an error when there is none';

-- Camera null stands for every camera.  A grant adds: what a role has of more
-- it keeps.
create function cctv.add_grant(camera integer, role text, privilege text) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_column
declare
	needed text := case privilege when 'operate' then 'cctv_operator' else 'cctv_viewer' end;
begin
	if privilege is null or privilege not in ('view', 'operate') then
		raise exception 'privilege of a camera is neither view nor operate'
			using errcode = 'invalid_parameter_value';
	end if;
	insert into cctv.camera_grants as g (camera_id, role, privilege)
		values (camera, cctv.role_named(role), add_grant.privilege)
		on conflict (coalesce(camera_id, 0), role) do update
			set privilege = excluded.privilege, granted_by = excluded.granted_by, granted_at = excluded.granted_at
			where g.privilege = 'view' and excluded.privilege = 'operate';
	if not pg_has_role(role, needed, 'usage') then
		raise notice 'role "%" is no member of %', role, needed
			using hint = format('The grant has its effect once it is: grant %I to %I.', needed, role);
	end if;
end
$$;
comment on function cctv.add_grant(integer, text, text) is 'Stores a grant; camera null stands for every camera';

create function cctv.drop_grant(camera integer, role text, privilege text) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_column
declare
	of_role regrole := cctv.role_named(role);
begin
	if privilege is null or privilege not in ('view', 'operate') then
		raise exception 'privilege of a camera is neither view nor operate'
			using errcode = 'invalid_parameter_value';
	end if;
	if privilege = 'operate' then
		update cctv.camera_grants as g set privilege = 'view'
			where g.camera_id is not distinct from camera and g.role = of_role and g.privilege = 'operate';
	else
		delete from cctv.camera_grants as g
			where g.camera_id is not distinct from camera and g.role = of_role;
	end if;
end
$$;
comment on function cctv.drop_grant(integer, text, text) is 'Deletes a grant; camera null stands for that of every camera';

create function cctv.grant_camera(camera integer, role text, privilege text default 'view') returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.add_grant(cctv.checked_camera(camera, 'manage'), role, privilege) $$;
comment on function cctv.grant_camera(integer, text, text) is
	'Lets the members of a role view or operate a camera; what they have of more they keep';

create function cctv.grant_camera(camera text, role text, privilege text default 'view') returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.grant_camera(cctv.camera_id(camera), role, privilege) $$;
comment on function cctv.grant_camera(text, text, text) is
	'Lets the members of a role view or operate a camera; what they have of more they keep';

create function cctv.revoke_camera(camera integer, role text, privilege text default 'view') returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.drop_grant(cctv.checked_camera(camera, 'manage'), role, privilege) $$;
comment on function cctv.revoke_camera(integer, text, text) is
	'Takes from a role what cctv.grant_camera() gave: operate leaves view, view leaves nothing';

create function cctv.revoke_camera(camera text, role text, privilege text default 'view') returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.revoke_camera(cctv.camera_id(camera), role, privilege) $$;
comment on function cctv.revoke_camera(text, text, text) is
	'Takes from a role what cctv.grant_camera() gave: operate leaves view, view leaves nothing';

create function cctv.grant_all_cameras(role text, privilege text default 'view') returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.add_grant(null, role, privilege) $$;
comment on function cctv.grant_all_cameras(text, text) is
	'Lets the members of a role view or operate every camera, also those to come';

create function cctv.revoke_all_cameras(role text, privilege text default 'view') returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.drop_grant(null, role, privilege) $$;
comment on function cctv.revoke_all_cameras(text, text) is
	'Takes from a role what cctv.grant_all_cameras() gave; grants of single cameras stay';

-- Notifications begin to carry keys only, or cease to, with the first and the
-- last grant, and with the first camera of an owner who is not of cctv_admin.
-- Whoever listens should know.
create function cctv.say_notify_detail() returns trigger
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
declare
	setting constant text := coalesce(current_setting('cctv.notify_detail', true), 'full');
	others bigint;
	message text;
begin
	perform cctv.only_on(tg_relid, '{cctv.camera_grants,cctv.cameras}');
	if setting = 'id' or not exists (select from changed) then
		return null;
	end if;
	-- A restore brings what was said before the dump.  Every dump begins with this
	-- setting, which nothing else has a use for.
	if not current_setting('check_function_bodies')::boolean then
		return null;
	end if;
	if tg_op = 'DELETE' then
		if cctv.notify_detail() = setting then
			message := format('every camera is everybody''s again: notifications are as cctv.notify_detail says, which is %s', setting);
		end if;
	elsif cctv.notify_detail() = 'id' then
		-- Nothing but what this statement brought.
		select (select count(*) from cctv.camera_grants)
				+ (select count(*) from cctv.cameras as c where not pg_has_role(c.owner, 'cctv_admin', 'usage'))
			into others;
		if others <= (select count(*) from changed) then
			message := 'not every camera is everybody''s: notifications carry keys only, as with cctv.notify_detail = id';
		end if;
	end if;
	if message is not null then
		raise notice '%', message
			using hint = 'Listeners read the rows by their keys, with the rights they have.';
		perform cctv.raise_notifications(
			array[row(null, null, 'info', 'notify_detail', null, null, message)::cctv.notifications]);
	end if;
	return null;
end
$$;
comment on function cctv.say_notify_detail() is
	'Trigger: says when notifications begin or cease to carry keys only';

create trigger granted after insert on cctv.camera_grants
	referencing new table as changed
	for each statement execute function cctv.say_notify_detail();
comment on trigger granted on cctv.camera_grants is 'Says when notifications begin to carry keys only';
create trigger revoked after delete on cctv.camera_grants
	referencing old table as changed
	for each statement execute function cctv.say_notify_detail();
comment on trigger revoked on cctv.camera_grants is 'Says when notifications cease to carry keys only';
create trigger owned after insert on cctv.cameras
	referencing new table as changed
	for each statement execute function cctv.say_notify_detail();
comment on trigger owned on cctv.cameras is 'Says when notifications begin to carry keys only';
