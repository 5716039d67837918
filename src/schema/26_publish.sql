-- Publishing: where a camera's stream is sent on to.  The credentials of that
-- server are kept like those of the camera, apart.

create table cctv.publish_secrets (
	camera_id integer primary key references cctv.cameras on delete cascade
		deferrable initially deferred,
	authority text not null,
	username text not null,
	password text not null
);
comment on table cctv.publish_secrets is 'Credentials of the servers that cameras are published to: for the worker only, and not in pg_dump';
comment on column cctv.publish_secrets.camera_id is 'Camera';
comment on column cctv.publish_secrets.authority is 'Host and port they are for: they are sent nowhere else';
comment on column cctv.publish_secrets.username is 'User name';
comment on column cctv.publish_secrets.password is 'Password';

-- As cctv.split_url() does for cameras; no error tells any part of the URL.
create function cctv.split_publish_url(
	publish_url text,
	out address text, out authority text, out username text, out password text)
	language plpgsql immutable strict
	set search_path = pg_catalog, pg_temp
	as $$
declare
	scheme text := lower(substring(publish_url from '^([A-Za-z]+)://'));
	problem text;
	mend text;
begin
	if coalesce(scheme not in ('rtsp', 'rtsps', 'rtmp', 'rtmps', 'srt'), true) then
		problem := 'Its scheme is none of rtsp, rtsps, rtmp, rtmps and srt.';
	else
		begin
			select s.* into address, authority, username, password
				from cctv.split_url('rtsp' || substr(publish_url, length(scheme) + 1)) as s;
			address := scheme || substr(address, length('rtsp') + 1);
		exception
			when invalid_parameter_value then
				get stacked diagnostics problem = pg_exception_detail, mend = pg_exception_hint;
		end;
	end if;
	if problem is null and scheme = 'srt' then
		if authority !~ ':[0-9]+$' then
			problem := 'SRT has no port of its own: one is needed.';
		elsif address !~ '^[^?]*(\?streamid=[^&]*)?$' then
			problem := 'Of SRT''s parameters only streamid is known.';
			mend := 'A passphrase is the password of an empty user name: srt://:passphrase@192.0.2.9:8890?streamid=publish:lobby.';
		end if;
	end if;
	if problem is not null then
		raise exception 'the URL to publish to is not valid'
			using errcode = 'invalid_parameter_value', detail = problem,
				hint = case when mend is null or mend like 'Examples:%'
					then 'Examples: rtsp://192.0.2.9:8554/lobby, rtmp://192.0.2.9/live/lobby, srt://192.0.2.9:8890?streamid=publish:lobby; user name and password go before the host.'
					else mend
				end;
	end if;
end
$$;
comment on function cctv.split_publish_url(text) is
	'Takes the URL of a server to publish to apart: the address without credentials, host and port, user name and password';

-- Security definer: who may change a camera need not read its password.
create function cctv.publish_credentials() returns trigger
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
declare
	target record;
begin
	perform cctv.only_on(tg_relid, '{cctv.cameras}');
	select * into target from cctv.split_publish_url(new.publish_url);
	new.publish_url := target.address;
	-- INSERT ... ON CONFLICT of a camera that exists comes to nothing, or to an
	-- UPDATE.
	if tg_op = 'INSERT' and exists (select from cctv.cameras as c where c.camera_id = new.camera_id) then
		return new;
	end if;
	delete from cctv.publish_secrets as s
		where s.camera_id = new.camera_id
			and (new.removed_at is not null or s.authority is distinct from target.authority);
	if new.removed_at is null and target.username is not null then
		insert into cctv.publish_secrets as s (camera_id, authority, username, password)
			values (new.camera_id, target.authority, target.username, target.password)
		on conflict (camera_id) do update
			set authority = excluded.authority, username = excluded.username, password = excluded.password;
	end if;
	return new;
end
$$;
comment on function cctv.publish_credentials() is 'Trigger: moves the credentials of publish_url to publish_secrets';

create trigger publish_credentials before insert or update of publish_url, removed_at
	on cctv.cameras
	for each row execute function cctv.publish_credentials();
comment on trigger publish_credentials on cctv.cameras is 'Moves the credentials of publish_url to publish_secrets';
