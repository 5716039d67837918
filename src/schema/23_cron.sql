-- Five-field cron expressions, as pg_cron and Vixie cron read them.
--
-- minute hour day-of-month month day-of-week, each a list of numbers, ranges
-- a-b and steps */n or a-b/n; months and weekdays also by their English names
-- of three letters; 7 is Sunday too; $ is the last day of the month.  When both
-- day fields are restricted, a day that fits either one counts; a field that
-- begins with * is not restricted (as in Vixie cron, */2 included).

create type cctv.cron as (
	minutes integer[],
	hours integer[],
	days integer[],
	months integer[],
	weekdays integer[],
	last_day boolean,
	any_day boolean,
	any_weekday boolean
);
comment on type cctv.cron is 'A cron expression taken apart';
comment on column cctv.cron.minutes is 'Minutes of the hour, ascending';
comment on column cctv.cron.hours is 'Hours of the day, ascending';
comment on column cctv.cron.days is 'Days of the month';
comment on column cctv.cron.months is 'Months of the year';
comment on column cctv.cron.weekdays is 'Days of the week, 0 is Sunday';
comment on column cctv.cron.last_day is 'Does the last day of the month count?';
comment on column cctv.cron.any_day is 'Does the field of the day of the month begin with *?';
comment on column cctv.cron.any_weekday is 'Does the field of the day of the week begin with *?';

-- One field as the numbers it stands for, ascending.  Names stand for lowest,
-- lowest + 1 and so on.
create function cctv.parse_cron_field(
	field text,
	title text,
	lowest integer,
	highest integer,
	names text[]) returns integer[]
	language plpgsql immutable parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
declare
	item text;
	part text[];
	bound integer[];
	step integer;
	numbers integer[] := '{}';
begin
	foreach item in array string_to_array(lower(field), ',') loop
		part := regexp_match(item, '^(?:(\*)|([0-9]{1,4}|[a-z]{3})(?:-([0-9]{1,4}|[a-z]{3}))?)(?:/([0-9]{1,4}))?$');
		if part is null or (part[4] is not null and part[1] is null and part[3] is null) then
			raise exception 'invalid % in cron expression: "%"', title, item
				using errcode = 'invalid_parameter_value',
					detail = 'A field is a list of *, a, a-b, */step and a-b/step, separated by commas.';
		end if;
		bound := case when part[1] is not null then array[lowest, highest]
			else (
				select array_agg(
						case when b ~ '^[0-9]' then b::integer
							else lowest + array_position(names, b) - 1
						end order by n)
				from unnest(array[part[2], coalesce(part[3], part[2])]) with ordinality as u (b, n))
		end;
		step := coalesce(part[4]::integer, 1);
		if bound[1] is null or bound[2] is null then
			raise exception 'unknown % in cron expression: "%"', title, item
				using errcode = 'invalid_parameter_value',
					hint = coalesce('Known names: ' || array_to_string(names, ', ') || '.', 'This field has no names.');
		end if;
		if bound[1] < lowest or bound[2] > highest then
			raise exception '% in cron expression is not from % to %: "%"', title, lowest, highest, item
				using errcode = 'invalid_parameter_value';
		end if;
		if bound[1] > bound[2] then
			raise exception 'range of % in cron expression runs backwards: "%"', title, item
				using errcode = 'invalid_parameter_value',
					hint = 'Give both parts, for example 22-23,0-5.';
		end if;
		if step < 1 then
			raise exception 'step of % in cron expression is less than 1: "%"', title, item
				using errcode = 'invalid_parameter_value';
		end if;
		numbers := numbers || array(select generate_series(bound[1], bound[2], step));
	end loop;
	return array(select distinct n from unnest(numbers) as n order by n);
end
$$;
comment on function cctv.parse_cron_field(text, text, integer, integer, text[]) is
	'Numbers that a field of a cron expression stands for';

create function cctv.parse_cron(expression text) returns cctv.cron
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
declare
	field text[] := regexp_split_to_array(btrim(expression, e' \t'), '[ \t]+');
	cron cctv.cron;
begin
	if length(expression) > 256 or cardinality(field) <> 5 then
		raise exception 'invalid cron expression: "%"', left(expression, 256)
			using errcode = 'invalid_parameter_value',
				detail = 'It has the five fields minute, hour, day of month, month and day of week.',
				hint = 'For example 0 18 * * mon-fri: at 18:00 from Monday to Friday.';
	end if;
	cron.minutes := cctv.parse_cron_field(field[1], 'minute', 0, 59, null);
	cron.hours := cctv.parse_cron_field(field[2], 'hour', 0, 23, null);
	cron.last_day := field[3] = '$';
	cron.days := case when cron.last_day then '{}'
		else cctv.parse_cron_field(field[3], 'day of month', 1, 31, null)
	end;
	cron.months := cctv.parse_cron_field(field[4], 'month', 1, 12,
		'{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
	cron.weekdays := array(
		select distinct n % 7
		from unnest(cctv.parse_cron_field(field[5], 'day of week', 0, 7, '{sun,mon,tue,wed,thu,fri,sat}')) as n
		order by 1);
	cron.any_day := field[3] like '*%';
	cron.any_weekday := field[5] like '*%';
	return cron;
end
$$;
comment on function cctv.parse_cron(text) is 'Takes a five-field cron expression apart';

create function cctv.cron_holds(cron cctv.cron, day date) returns boolean
	language sql immutable parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
	select extract(month from day)::integer = any (cron.months)
		and case when cron.any_day or cron.any_weekday then on_day and on_weekday
			else on_day or on_weekday
		end
	from (
		select extract(dow from day)::integer = any (cron.weekdays) as on_weekday,
			extract(day from day)::integer = any (cron.days)
				or (cron.last_day and extract(day from day + 1) = 1) as on_day) as d
$$;
comment on function cctv.cron_holds(cctv.cron, date) is 'Does a cron expression name this day?';
