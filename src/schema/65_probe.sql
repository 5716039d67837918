-- Finding a camera's streams.

create function cctv.probe(
	address text,
	username text default null,
	password text default null,
	time_limit interval default '10 seconds')
	returns table (
		url text, codec text, width integer, height integer, fps real, still boolean)
	language c volatile rows 5
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_probe';
comment on function cctv.probe(text, text, text, interval) is
	'What streams at a URL, or at the usual places of a host, host:port or device; best first, without credentials';

-- The URL of a camera that is added by the address of its host alone.  User
-- name and password, if they come with it, go into the URL as they came.
create function cctv.find_stream(address text) returns text
	language plpgsql volatile
	set search_path = pg_catalog, pg_temp
	as $$
declare
	part text[] := regexp_match(address,
		'^(?:([^/?#]*@))?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$');
	found_url text;
begin
	if part is null then
		return address;
	end if;
	select s.url into found_url
		from cctv.probe(address) as s
		where not s.still
		limit 1;
	if found_url is null then
		raise exception 'only single pictures were found at "%", and no stream', part[2] || coalesce(part[3], '')
			using errcode = 'connection_exception',
				hint = 'A camera needs a stream; cctv.analyze() looks at single pictures.';
	end if;
	return regexp_replace(found_url, '://', '://' || replace(coalesce(part[1], ''), '\', '\\'));
end
$$;
comment on function cctv.find_stream(text) is
	'The best stream at a bare host, host:port or device number; a URL or path as it is';
