-- Credentials apart from URLs.

create function cctv.store_credentials(camera integer, username text, password text, host text) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	set row_security = on
	as $$
#variable_conflict use_variable
declare
	hosts text[];
	named text := lower(host);
	-- Where it is published, if that is meant.
	sink text;
begin
	select cctv.url_authority(c.publish_url) into sink
		from cctv.cameras as c
		where c.camera_id = camera and cctv.url_authority(c.publish_url) = named;
	select array_agg(distinct u.host) into hosts
		from cctv.cameras as c,
			unnest(array[cctv.url_authority(c.url), cctv.url_authority(c.detect_url)]) as u (host)
		where c.camera_id = camera and u.host is not null;
	if hosts is null and sink is null then
		raise exception 'camera % is no camera of the network', camera
			using errcode = 'invalid_parameter_value';
	end if;
	if named <> all (hosts) and sink is null then
		raise exception 'no URL of camera % is of this host', camera
			using errcode = 'invalid_parameter_value',
				hint = 'Its hosts, with their ports: ' || array_to_string(hosts, ', ') || '.';
	end if;
	if (username is null) <> (password is null) then
		raise exception 'user name and password are given together, or neither to forget them'
			using errcode = 'invalid_parameter_value';
	end if;
	if length(username) > 256 or length(password) > 256 then
		raise exception 'a user name or password is longer than 256 characters'
			using errcode = 'invalid_parameter_value';
	end if;
	if username is null then
		delete from cctv.camera_secrets as s
			where s.camera_id = camera and (named is null or s.authority = named);
		delete from cctv.publish_secrets as s
			where s.camera_id = camera and s.authority = sink;
		return;
	end if;
	insert into cctv.camera_secrets as s (camera_id, authority, username, password)
		select camera, h, username, password
		from unnest(hosts) as h
		where named is null or h = named
		on conflict on constraint camera_secrets_pkey do update
			set username = excluded.username, password = excluded.password;
	insert into cctv.publish_secrets as s (camera_id, authority, username, password)
		select camera, sink, username, password where sink is not null
		on conflict on constraint publish_secrets_pkey do update
			set authority = excluded.authority, username = excluded.username, password = excluded.password;
end
$$;
comment on function cctv.store_credentials(integer, text, text, text) is
	'Stores, or deletes, the credentials of a camera for one of its hosts, the one it is published to included, or all that it is read from';

create function cctv.set_credentials(camera integer, username text, password text, host text default null) returns void
	language c volatile
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_set_credentials';
comment on function cctv.set_credentials(integer, text, text, text) is
	'Sets user name and password of a camera for the hosts it is read from, or for one host:port, also that of publish_url; null forgets them';

create function cctv.set_credentials(camera text, username text, password text, host text default null) returns void
	language sql volatile
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.set_credentials(cctv.camera_id(camera), username, password, host) $$;
comment on function cctv.set_credentials(text, text, text, text) is
	'Sets user name and password of a camera for the hosts it is read from, or for one host:port, also that of publish_url; null forgets them';
