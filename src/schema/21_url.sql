-- URLs: their credentials go to camera_secrets before a row is stored.

-- Undo percent-encoding.  A % that starts no escape stands for itself, as
-- people type it.  Returns null when the result is no text; the bytes must not
-- appear in an error.
create function cctv.percent_decode(encoded text) returns text
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
begin
	return convert_from(
		coalesce(
			string_agg(
				case when m[1] ~ '^%.'
					then decode(substr(m[1], 2), 'hex')
					else convert_to(m[1], 'UTF8')
				end, ''::bytea order by n),
			''::bytea),
		'UTF8')
		from regexp_matches(encoded, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') with ordinality as r (m, n);
exception
	when data_exception then
		return null;
end
$$;
comment on function cctv.percent_decode(text) is 'Undoes percent-encoding; null when the result is no valid text';

-- Take a camera's URL apart.  The userinfo reaches to the last @ of the
-- authority (RFC 3986, section 3.2), so a raw @ in a password does no harm; an
-- @ behind the authority most likely ends a password with a raw / ? or #, so
-- it is refused rather than stored in the clear.  No error tells any part of
-- the URL.
create function cctv.split_url(
	url text,
	out address text, out authority text, out username text, out password text)
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
declare
	-- scheme, userinfo, host and port, the rest
	part text[];
	port text;
	problem text;
	mend text := 'Examples: rtsp://user:password@192.0.2.7:554/stream1, https://host/video.mjpeg, /srv/video/yard.mp4, /dev/video0.';
begin
	part := regexp_match(url, '^([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#]*)@)?([^@/?#]*)(.*)$');
	if length(url) > 2048 then
		problem := 'It is longer than 2048 characters.';
	elsif url ~ '[[:cntrl:]]' then
		problem := 'It holds a control character.';
	elsif url ~ '^/' then
		address := url;
		return;
	elsif part is null then
		problem := 'It has no scheme, nor is it an absolute path.';
	elsif lower(part[1]) = 'file' then
		address := cctv.percent_decode(part[4]);
		if part[2] is null and part[3] = '' and address ~ '^/[^[:cntrl:]]*$' then
			return;
		end if;
		address := null;
		problem := 'A file URL is file:// and an absolute path.';
	elsif lower(part[1]) not in ('rtsp', 'rtsps', 'http', 'https') then
		problem := 'Its scheme is none of rtsp, rtsps, http, https and file.';
	elsif part[4] ~ '@' then
		problem := 'There is an @ behind the host.';
		mend := 'Percent-encode / ? and # in a password (%2F %3F %23), and @ in a path (%40).';
	elsif part[3] || part[4] ~ '\s' then
		problem := 'It holds a space.';
		mend := 'Percent-encode it as %20.';
	elsif part[3] !~ '^(\[[0-9A-Fa-f:.]+\]|[^]:[]+)(:[0-9]{1,5})?$' then
		problem := 'Its host or port is not one.';
		mend := 'Percent-encode / ? and # in a password (%2F %3F %23); an IPv6 address is [2001:db8::7].';
	else
		port := substring(part[3] from ':([0-9]+)$');
		if port::integer not between 1 and 65535 then
			problem := 'Its port is not from 1 to 65535.';
		elsif part[2] is not null then
			username := cctv.percent_decode(split_part(part[2], ':', 1));
			password := cctv.percent_decode(substr(part[2], length(split_part(part[2], ':', 1)) + 2));
			if username is null or password is null then
				problem := 'Its user name or password is no valid text once decoded.';
			elsif length(username) > 256 or length(password) > 256 then
				problem := 'Its user name or password is longer than 256 characters.';
			end if;
		end if;
	end if;
	if problem is not null then
		raise exception 'the camera''s URL is not valid'
			using errcode = 'invalid_parameter_value', detail = problem, hint = mend;
	end if;
	authority := lower(part[3]);
	address := lower(part[1]) || '://' || authority || part[4];
end
$$;
comment on function cctv.split_url(text) is
	'Takes a camera''s URL apart: the address without credentials, host and port, user name and password';

create function cctv.url_authority(url text) returns text
	language sql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$ select substring(url from '^[a-z]+://([^/?#]*)') $$;
comment on function cctv.url_authority(text) is 'Host and port of a stored URL, null of a file';

-- Security definer: who may change a camera need not read its password.
-- Credentials are kept for the hosts of the two URLs and for no other, so that
-- nobody can have a known password sent to a host of theirs.
create function cctv.camera_credentials() returns trigger
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
declare
	main record;
	sub record;
begin
	perform cctv.only_on(tg_relid, '{cctv.cameras}');
	select * into main from cctv.split_url(new.url);
	select * into sub from cctv.split_url(new.detect_url);
	new.url := main.address;
	new.detect_url := sub.address;
	if main.authority = sub.authority
		and (main.username <> sub.username or main.password <> sub.password)
	then
		raise exception 'url and detect_url give different credentials for one host'
			using errcode = 'invalid_parameter_value',
				hint = 'Give the user name and the password in one of them, or the same in both.';
	end if;
	-- INSERT ... ON CONFLICT of a camera that exists comes to nothing, or to an
	-- UPDATE.
	if tg_op = 'INSERT' and exists (select from cctv.cameras as c where c.camera_id = new.camera_id) then
		return new;
	end if;
	delete from cctv.camera_secrets as s
		where s.camera_id = new.camera_id
			and (new.removed_at is not null
				or (s.authority is distinct from main.authority
					and s.authority is distinct from sub.authority));
	if new.removed_at is null then
		insert into cctv.camera_secrets as s (camera_id, authority, username, password)
			select distinct new.camera_id, u.authority, u.username, u.password
			from (values (main.authority, main.username, main.password),
				(sub.authority, sub.username, sub.password)) as u (authority, username, password)
			where u.username is not null
		on conflict (camera_id, authority) do update
			set username = excluded.username, password = excluded.password;
	end if;
	return new;
end
$$;
comment on function cctv.camera_credentials() is
	'Trigger: moves the credentials of url and detect_url to camera_secrets';

create trigger camera_credentials before insert or update of url, detect_url, removed_at
	on cctv.cameras
	for each row execute function cctv.camera_credentials();
comment on trigger camera_credentials on cctv.cameras is 'Moves the credentials of url and detect_url to camera_secrets';
