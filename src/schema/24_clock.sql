-- Wall clocks: when is it 18:00 in Europe/Berlin?
--
-- Twice a year in most places that has an odd answer.  A time that the clocks
-- skip is reached at the moment of the change; a time that comes twice is
-- reached at its first coming and past at its second.  So no window of a
-- schedule is ever shorter than its wall-clock times say, and none is on and
-- off again within the hour.

create function cctv.check_time_zone(time_zone text) returns void
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
begin
	-- Of a name without a slash PostgreSQL may take an abbreviation of a fixed
	-- offset: CET is one hour ahead of UTC all summer.
	if time_zone !~ '^([A-Za-z_]+(/[A-Za-z0-9_+-]+)+|UTC|GMT)$' then
		raise exception 'time zone "%" is not an IANA name', time_zone
			using errcode = 'invalid_parameter_value',
				hint = 'Use a name such as Europe/Berlin or UTC; select name from pg_timezone_names lists them.';
	end if;
	begin
		perform now() at time zone time_zone;
	exception when invalid_parameter_value then
		raise exception 'the server knows no time zone "%"', time_zone
			using errcode = 'invalid_parameter_value',
				hint = 'Use a name such as Europe/Berlin or UTC; select name from pg_timezone_names lists them.';
	end;
end
$$;
comment on function cctv.check_time_zone(text) is
	'Raises an error unless this is the IANA name of a time zone that the server knows';

-- The instant at which a wall clock reaches this time (past false: the first
-- at which it shows it or a later one) or passes it (past true: the last
-- before which it shows an earlier one).
create function cctv.wall_instant(wall timestamp, time_zone text, past boolean) returns timestamptz
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
declare
	near timestamptz := wall at time zone time_zone;
	probe timestamptz;
	candidate timestamptz;
	found_at timestamptz;
	low timestamptz;
	high timestamptz;
	middle timestamptz;
begin
	-- By the offset before a change nearby, and by that after it.
	foreach probe in array array[near - interval '3 hours', near + interval '3 hours'] loop
		candidate := (wall - ((probe at time zone time_zone) - (probe at time zone 'UTC'))) at time zone 'UTC';
		if (candidate at time zone time_zone) = wall
			and (found_at is null or (past and candidate > found_at) or (not past and candidate < found_at))
		then
			found_at := candidate;
		end if;
	end loop;
	if found_at is not null then
		return found_at;
	end if;

	-- It is skipped: look for the change.  Samoa once left out a whole day.
	low := date_trunc('second', near - interval '26 hours');
	high := low + interval '52 hours';
	while high - low > interval '1 second' loop
		middle := low + date_trunc('second', (high - low) / 2);
		if (middle at time zone time_zone) >= wall then
			high := middle;
		else
			low := middle;
		end if;
	end loop;
	return high;
end
$$;
comment on function cctv.wall_instant(timestamp, text, boolean) is
	'When a wall clock reaches a time, or (past) passes it, right across changes of the clocks';
