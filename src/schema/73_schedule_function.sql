-- Schedules, as people call them.

-- 'mon-fri', 'sat,sun', '1-5', 'daily', 'weekdays', 'weekends'
create function cctv.parse_days(days text) returns integer[]
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
declare
	names constant text[] := '{mon,tue,wed,thu,fri,sat,sun}';
	item text;
	part text[];
	a integer;
	b integer;
	numbers integer[] := '{}';
begin
	foreach item in array regexp_split_to_array(lower(replace(days, ' ', '')), ',') loop
		item := case item when 'daily' then 'mon-sun' when 'weekdays' then 'mon-fri' when 'weekends' then 'sat-sun' else item end;
		part := regexp_match(item, '^([a-z]{3}|[1-7])(?:-([a-z]{3}|[1-7]))?$');
		a := case when part[1] ~ '^[1-7]$' then part[1]::integer else array_position(names, part[1]) end;
		b := case when part[2] is null then a
			when part[2] ~ '^[1-7]$' then part[2]::integer
			else array_position(names, part[2])
		end;
		if a is null or b is null then
			raise exception 'invalid days: "%"', days
				using errcode = 'invalid_parameter_value',
					hint = 'For example daily, weekdays, weekends, mon-fri, fri-mon or tue,thu; 1 is Monday.';
		end if;
		-- fri-mon goes on over the end of the week.
		numbers := numbers || array(
			select (d - 1) % 7 + 1 from generate_series(a, case when b < a then b + 7 else b end) as d);
	end loop;
	return array(select distinct n from unnest(numbers) as n order by n);
end
$$;
comment on function cctv.parse_days(text) is 'Days of the week from words, as numbers: 1 is Monday';

create function cctv.parse_time_of_day(at text) returns time
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
begin
	if at !~ '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)$' then
		raise exception 'invalid time of day: "%"', at
			using errcode = 'invalid_parameter_value',
				hint = 'Use HH:MM from 00:00 to 24:00, or a five-field cron expression for both start and end.';
	end if;
	return at::time;
end
$$;
comment on function cctv.parse_time_of_day(text) is 'A time of day from 00:00 to 24:00';

-- The one way in; camera or rule is null.
create function cctv.add_schedule(
	camera integer,
	rule integer,
	action text,
	days text,
	starts text,
	ends text,
	time_zone text,
	first_day date,
	last_day date,
	except_days date[]) returns integer
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_column
declare
	is_cron boolean := starts ~ '\s';
	added integer;
begin
	if starts is null or ends is null or is_cron <> (ends ~ '\s') then
		raise exception 'start and end must be two times of day or two cron expressions'
			using errcode = 'invalid_parameter_value';
	end if;
	if is_cron and lower(days) <> 'daily' then
		raise exception 'days are part of a cron expression'
			using errcode = 'invalid_parameter_value',
				hint = 'Leave days at ''daily''.';
	end if;
	insert into cctv.schedules (camera_id, rule_id, action, days, starts, ends, start_cron, end_cron,
			time_zone, first_day, last_day, except_days)
		values (camera, rule, action, cctv.parse_days(days),
			case when not is_cron then cctv.parse_time_of_day(starts) end,
			case when not is_cron then cctv.parse_time_of_day(ends) end,
			case when is_cron then starts end,
			case when is_cron then ends end,
			add_schedule.time_zone, add_schedule.first_day, add_schedule.last_day,
			coalesce(add_schedule.except_days, '{}'))
		returning schedule_id into added;
	return added;
end
$$;
comment on function cctv.add_schedule(integer, integer, text, text, text, text, text, date, date, date[]) is
	'Stores a schedule of a camera or a rule; returns its key';

create function cctv.schedule(
	camera integer,
	action text,
	days text default 'daily',
	starts text default '00:00',
	ends text default '24:00',
	time_zone text default null,
	first_day date default null,
	last_day date default null,
	except_days date[] default '{}') returns integer
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	if action is null or action not in ('run', 'detect', 'record') then
		raise exception 'action of a camera is none of run, detect and record'
			using errcode = 'invalid_parameter_value',
				hint = 'For a rule: select cctv.schedule_rule(rule_id, ...).';
	end if;
	if action = 'run' and not (select c.enabled from cctv.cameras as c where c.camera_id = schedule.camera) then
		raise notice 'the camera will not run before it is started'
			using hint = 'Start it once with cctv.start(); from then on it runs when its schedules say so.';
	end if;
	return cctv.add_schedule(cctv.checked_camera(camera, 'manage'), null, action, days, starts, ends, time_zone, first_day,
		last_day, except_days);
end
$$;
comment on function cctv.schedule(integer, text, text, text, text, text, date, date, date[]) is
	'Lets a camera run, detect or record at certain times only; starts and ends are times of day or five-field cron expressions; returns the key of the schedule';

create function cctv.schedule(
	camera text,
	action text,
	days text default 'daily',
	starts text default '00:00',
	ends text default '24:00',
	time_zone text default null,
	first_day date default null,
	last_day date default null,
	except_days date[] default '{}') returns integer
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	return cctv.schedule(cctv.camera_id(camera), action, days, starts, ends, time_zone, first_day, last_day,
		except_days);
end
$$;
comment on function cctv.schedule(text, text, text, text, text, text, date, date, date[]) is
	'Lets a camera run, detect or record at certain times only; starts and ends are times of day or five-field cron expressions; returns the key of the schedule';

create function cctv.schedule_rule(
	rule integer,
	days text default 'daily',
	starts text default '00:00',
	ends text default '24:00',
	time_zone text default null,
	first_day date default null,
	last_day date default null,
	except_days date[] default '{}') returns integer
	language sql
	set search_path = pg_catalog, pg_temp
	as $$
	select cctv.add_schedule(null, rule, 'rule', days, starts, ends, time_zone, first_day, last_day, except_days)
$$;
comment on function cctv.schedule_rule(integer, text, text, text, text, date, date, date[]) is
	'Lets a rule raise alerts at certain times only; returns the key of the schedule';

create function cctv.unschedule(schedule integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	delete from cctv.schedules as s where s.schedule_id = schedule;
	if not found then
		if exists (select from cctv.schedules as s where s.schedule_id = schedule) then
			raise exception 'permission denied to remove schedule %', schedule
				using errcode = 'insufficient_privilege',
					hint = 'The owner of its camera and the members of cctv_admin may.';
		end if;
		raise exception 'schedule % does not exist', schedule
			using errcode = 'undefined_object',
				hint = 'See them with: select * from cctv.schedules.';
	end if;
end
$$;
comment on function cctv.unschedule(integer) is 'Removes a schedule';

create function cctv.unschedule(camera integer, action text) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	n bigint;
begin
	delete from cctv.schedules as s where s.camera_id = cctv.checked_camera(camera, 'manage') and s.action = unschedule.action;
	get diagnostics n = row_count;
	return n;
end
$$;
comment on function cctv.unschedule(integer, text) is 'Removes all schedules of a camera''s action; returns how many there were';

create function cctv.unschedule(camera text, action text) returns bigint
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.unschedule(cctv.camera_id(camera), action) $$;
comment on function cctv.unschedule(text, text) is 'Removes all schedules of a camera''s action; returns how many there were';

create function cctv.schedule_at(
	camera integer,
	t timestamptz default now(),
	out action text,
	out is_on boolean,
	out until timestamptz) returns setof record
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select a.action,
		a.wanted and cctv.is_scheduled(c.camera_id, a.action, t),
		cctv.scheduled_until(c.camera_id, a.action, t)
	from cctv.cameras as c,
		lateral (values
			('run', c.enabled),
			('detect', c.detect),
			-- Schedules of recording switch on what is off otherwise.
			('record', c.record <> 'off' or exists (select from cctv.schedules_of(c.camera_id, 'record'))))
			as a (action, wanted)
	where c.camera_id = cctv.camera_id(camera)
$$;
comment on function cctv.schedule_at(integer, timestamptz) is
	'What is on at a time, by the camera''s settings as they are now and its schedules, and until when its schedules stay so';

create function cctv.schedule_at(
	camera text,
	t timestamptz default now(),
	out action text,
	out is_on boolean,
	out until timestamptz) returns setof record
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$ select * from cctv.schedule_at(cctv.camera_id(camera), t) $$;
comment on function cctv.schedule_at(text, timestamptz) is
	'What is on at a time, by the camera''s settings as they are now and its schedules, and until when its schedules stay so';

create function cctv.next_change(camera integer, t timestamptz default now()) returns timestamptz
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$ select min(s.until) from cctv.schedule_at(camera, t) as s $$;
comment on function cctv.next_change(integer, timestamptz) is 'When a schedule next changes what a camera does, null when never';

create function cctv.next_change(camera text, t timestamptz default now()) returns timestamptz
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.next_change(cctv.camera_id(camera), t) $$;
comment on function cctv.next_change(text, timestamptz) is 'When a schedule next changes what a camera does, null when never';
