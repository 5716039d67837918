-- Schedules: fixed times only, so that the result is the same in any year.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
set intervalstyle = 'postgres';
set client_min_messages = warning;
begin;

-- Wall clocks: reached and passed, over both changes of the clocks.
select zone, wall,
	cctv.wall_instant(wall::timestamp, zone, false) as reached,
	cctv.wall_instant(wall::timestamp, zone, true) - cctv.wall_instant(wall::timestamp, zone, false) as passed_after
from (values
	('Europe/Berlin', '2026-03-29 01:59'), ('Europe/Berlin', '2026-03-29 02:00'), ('Europe/Berlin', '2026-03-29 02:30'),
	('Europe/Berlin', '2026-03-29 03:00'), ('Europe/Berlin', '2026-10-25 01:59'), ('Europe/Berlin', '2026-10-25 02:00'),
	('Europe/Berlin', '2026-10-25 02:30'), ('Europe/Berlin', '2026-10-25 03:00'),
	('Europe/Dublin', '2026-10-25 01:30'), ('Europe/Dublin', '2026-03-29 01:30'),
	('America/New_York', '2026-03-08 02:30'), ('America/New_York', '2026-11-01 01:30'),
	('America/St_Johns', '2006-10-29 00:00'), ('America/Sao_Paulo', '2018-11-04 00:30'),
	('Australia/Lord_Howe', '2026-10-04 02:15'), ('Australia/Lord_Howe', '2026-04-05 01:45'),
	('Pacific/Apia', '2011-12-30 10:00'), ('Asia/Kathmandu', '2026-03-29 02:30')) as w (zone, wall);

select cctv.add_camera('berlin', 'rtsp://192.0.2.7/1', time_zone => 'Europe/Berlin') as berlin,
	cctv.add_camera('new york', 'rtsp://192.0.2.7/2', time_zone => 'America/New_York') as new_york,
	cctv.add_camera('anywhere', 'rtsp://192.0.2.7/3') as anywhere \gset
update cctv.cameras set enabled = true where camera_id in (:berlin, :new_york, :anywhere);

-- No schedule: on as the settings say, for good.
select * from cctv.schedule_at('berlin', '2026-01-01 00:00+00');
select cctv.next_change('berlin') is null as never;

-- On weekdays over midnight: the night of Friday ends on Saturday.
select cctv.schedule('berlin', 'run', 'mon-fri', '22:00', '06:00') as night \gset
select local, to_char(local::timestamp, 'Dy') as day, s.is_on, s.until at time zone 'Europe/Berlin' as until
from unnest('{2026-01-15 21:59:59,2026-01-15 22:00,2026-01-16 05:59:59,2026-01-16 06:00,2026-01-17 05:59:59,2026-01-17 06:00,2026-01-17 23:00,2026-01-19 05:00,2026-01-19 22:00}'::text[]) as local,
	cctv.schedule_at('berlin', local::timestamp at time zone 'Europe/Berlin') as s
where s.action = 'run';
-- What a restart within a window asks: the same, whatever happened before.
select bool_and(cctv.is_scheduled(:berlin, 'run', t)) as on_all_night
from generate_series(timestamptz '2026-01-15 21:00+00', '2026-01-16 04:59+00', '7 minutes') as t;
select cctv.next_change('berlin', '2026-01-15 12:00+00');
select cctv.unschedule(:berlin, 'run');

-- The nights in which clocks change are an hour shorter and longer.
select camera, night, sum(case when s.is_on then 5 else 0 end) as minutes, count(*) filter (where s.is_on and not was_on) as times_on
from (
	select c.name as camera, n.night, t, s.is_on, lag(s.is_on, 1, false) over (partition by c.camera_id, n.night order by t) as was_on
	from cctv.cameras as c
		join (values ('berlin', date '2026-03-28'), ('berlin', '2026-10-24'), ('new york', '2026-03-07'), ('new york', '2026-10-31')) as n (camera, night) on n.camera = c.name,
		generate_series(n.night + time '18:00' - interval '2 hours', n.night + interval '40 hours', '5 minutes') as local,
		lateral (select local at time zone 'UTC' as t) as t,
		lateral (
			select cctv.schedule_is_on(row(null, c.camera_id, null, 'run', '{6}', time '22:00', time '06:00', null, null, null, null, null, '{}', true, now())::cctv.schedules, c.time_zone, t) as is_on) as s) as s
group by camera, night
order by camera, night;
-- A window in the hour that comes twice is on once, for two hours; one in the
-- hour that is skipped is not on at all.
select cctv.schedule('berlin', 'detect', 'sun', '02:00', '03:00') as early \gset
select is_on, count(*) * 5 as minutes
from generate_series(timestamptz '2026-10-24 22:00+00', '2026-10-25 05:59+00', '5 minutes') as t, cctv.is_scheduled(:berlin, 'detect', t) as is_on
group by is_on order by is_on;
select count(*) filter (where is_on) * 5 as minutes_on
from generate_series(timestamptz '2026-03-28 22:00+00', '2026-03-29 05:59+00', '5 minutes') as t, cctv.is_scheduled(:berlin, 'detect', t) as is_on;
select cctv.unschedule(:early);

-- Leap day, validity and holidays.
select cctv.schedule('berlin', 'run', 'daily', '08:00', '09:00', first_day => '2028-02-28', last_day => '2028-03-01', except_days => '{2028-02-28}') as leap \gset
select t at time zone 'Europe/Berlin' as t, s.is_on, s.until at time zone 'Europe/Berlin' as until
from unnest('{2026-01-01 08:30,2028-02-28 08:30,2028-02-29 08:30,2028-03-01 08:30,2028-03-02 08:30}'::timestamp[]) as local,
	lateral (select local at time zone 'Europe/Berlin' as t) as t, cctv.schedule_at('berlin', t) as s
where s.action = 'run';
select cctv.unschedule(:leap);

-- Windows that overlap or touch are one.
select cctv.schedule('berlin', 'run', 'daily', '08:00', '12:00') as a, cctv.schedule('berlin', 'run', 'daily', '11:00', '14:00') as b,
	cctv.schedule('berlin', 'run', 'daily', '14:00', '15:00') as c \gset
select s.is_on, s.until from cctv.schedule_at('berlin', '2026-06-01 08:30 Europe/Berlin') as s where s.action = 'run';
select s.is_on, s.until from cctv.schedule_at('berlin', '2026-06-01 15:00 Europe/Berlin') as s where s.action = 'run';
select cctv.unschedule('berlin', 'run');
-- All day, every day: on, and never to change. Switched off, a schedule counts for nothing.
select cctv.schedule('berlin', 'run') as always \gset
select s.is_on, s.until from cctv.schedule_at('berlin', '2026-06-01 08:30+00') as s where s.action = 'run';
update cctv.schedules set enabled = false, starts = '01:00', ends = '01:01' where schedule_id = :always;
select s.is_on, s.until from cctv.schedule_at('berlin', '2026-06-01 08:30+00') as s where s.action = 'run';
select cctv.unschedule('berlin', 'run');

-- Time zones: the camera's unless given; without either, the session's.
select cctv.schedule('new york', 'run', 'daily', '18:00', '20:00', 'Asia/Tokyo') as tokyo,
	cctv.schedule('new york', 'detect', 'daily', '18:00', '20:00') as home \gset
set local timezone = 'Asia/Kolkata';
select cctv.schedule('anywhere', 'run', 'daily', '18:00', '20:00') as session \gset
set local timezone = 'UTC';
select action, time_zone from cctv.schedules where schedule_id in (:tokyo, :home, :session) order by schedule_id;
select * from cctv.schedule_at('new york', '2026-07-01 10:00+00');
select * from cctv.schedule_at('new york', '2026-07-01 22:00+00');
-- Another time zone of the session makes no difference.
set local timezone = 'America/Los_Angeles';
select is_on, until at time zone 'UTC' as until from cctv.schedule_at('anywhere', '2026-07-01 13:00+00') where action = 'run';
set local timezone = 'UTC';

-- Recording that is off otherwise is on by its schedules.
select cctv.schedule('new york', 'record', 'daily', '06:00', '07:00') is not null as added;
select * from cctv.schedule_at('new york', '2026-07-01 10:00+00') where action = 'record';
select * from cctv.schedule_at('new york', '2026-07-01 11:00+00') where action = 'record';

-- Cron, as pg_cron users write it.
select expression, (cctv.parse_cron(expression)).*
from unnest('{"0 18 * * mon-fri","*/15 8-18/2,22 1,15 JAN,jul-aug sun","5-7,6 0 $ 2 7","0 0 */2 * 1"}'::text[]) as expression;
select expression, array(
	select d::date from generate_series(date '2026-02-01', '2026-02-28', '1 day') as d
	where cctv.cron_holds(cctv.parse_cron(expression), d::date)) as days
from unnest(array['0 0 13 * fri', '0 0 13 * *', '0 0 * * fri', '0 0 */10 * fri', '0 0 $ * *', '0 0 31 * *']) as expression;
select cctv.schedule('berlin', 'run', starts => '0 18 * * mon-fri', ends => '30 6 * * tue-sat') as cron \gset
select t, s.is_on, s.until
from unnest('{2026-01-16 16:59+00,2026-01-16 17:00+00,2026-01-17 05:29+00,2026-01-17 05:30+00,2026-01-18 12:00+00}'::timestamptz[]) as t,
	cctv.schedule_at('berlin', t) as s
where s.action = 'run';
-- Once in a leap year, and never.
update cctv.schedules set start_cron = '0 0 29 2 *', end_cron = '0 0 1 3 *' where schedule_id = :cron;
select t, s.is_on, s.until from unnest('{2026-01-01 00:00+00,2028-02-29 12:00+00,2097-01-01 00:00+00}'::timestamptz[]) as t, cctv.schedule_at('berlin', t) as s where s.action = 'run';
update cctv.schedules set start_cron = '0 0 31 2 *' where schedule_id = :cron;
select t, s.is_on, s.until from unnest('{2026-01-01 00:00+00}'::timestamptz[]) as t, cctv.schedule_at('berlin', t) as s where s.action = 'run';
-- Over the changes of the clocks: 02:30 comes at 03:00 in spring, and once in autumn.
update cctv.schedules set start_cron = '30 2 * * *', end_cron = '0 5 * * *' where schedule_id = :cron;
select t, s.is_on, s.until from unnest('{2026-03-29 00:00+00,2026-03-29 01:00+00,2026-10-25 00:00+00,2026-10-25 00:30+00}'::timestamptz[]) as t, cctv.schedule_at('berlin', t) as s where s.action = 'run';

-- What is_scheduled and scheduled_until say agrees, whatever the schedules.
delete from cctv.schedules;
select cctv.schedule('berlin', 'run', 'mon,wed,sat-sun', '21:30', '03:15') as a,
	cctv.schedule('berlin', 'run', 'tue-thu', '02:15', '02:45', 'America/New_York') as b,
	cctv.schedule('berlin', 'run', starts => '10,40 */6 * * *', ends => '20,50 */6 * * *') as c \gset
select bool_and((select bool_and(cctv.is_scheduled(:berlin, 'run', u) = is_on) from unnest(array[t, t + (until - t) / 2, until - interval '1 second']) as u)
		and cctv.is_scheduled(:berlin, 'run', until) <> is_on) as agree,
	count(*)
from (
	select t, cctv.is_scheduled(:berlin, 'run', t) as is_on, cctv.scheduled_until(:berlin, 'run', t) as until
	from generate_series(timestamptz '2026-10-23 00:07+00', '2026-10-27 00:00+00', '173 minutes') as t) as s;

-- Days in words.
select days, cctv.parse_days(days) from unnest('{daily,weekdays,weekends,mon,"Sat, Sun",fri-mon,1-3,"tue,4-5,tue"}'::text[]) as days;

-- What is wrong.
select cctv.schedule('berlin', 'sleep');
select cctv.schedule('berlin', 'rule');
select cctv.schedule('nowhere', 'run');
select cctv.schedule('berlin', 'run', 'someday');
select cctv.schedule('berlin', 'run', 'mon-');
select cctv.schedule('berlin', 'run', '8');
select cctv.schedule('berlin', 'run', '');
select cctv.schedule('berlin', 'run', 'daily', '25:00', '06:00');
select cctv.schedule('berlin', 'run', 'daily', '8', '9');
select cctv.schedule('berlin', 'run', 'daily', '08:00', null);
select cctv.schedule('berlin', 'run', 'daily', '08:00', '0 9 * * *');
select cctv.schedule('berlin', 'run', 'mon', '0 8 * * *', '0 9 * * *');
select cctv.schedule('berlin', 'run', 'daily', '08:00', '09:00', 'Europe/Bärlin');
select cctv.schedule('berlin', 'run', 'daily', '08:00', '09:00', 'Mars/Olympus');
select cctv.schedule('berlin', 'run', 'daily', '08:00', '09:00', 'CET');
select cctv.unschedule(0);
\set VERBOSITY terse
select cctv.schedule('berlin', 'run', 'daily', '24:00', '06:00');
select cctv.schedule('berlin', 'run', 'daily', '08:00', '09:00', first_day => '2026-02-01', last_day => '2026-01-01');
select cctv.schedule_rule(0);
update cctv.schedules set days = '{}' where starts is not null;
update cctv.schedules set days = '{1,8}' where starts is not null;
update cctv.schedules set except_days = '{NULL}' where starts is not null;
update cctv.schedules set action = 'rule' where starts is not null;
update cctv.schedules set start_cron = '0 0 * * *' where starts is not null;
\set VERBOSITY default
select cctv.parse_cron('* * * *');
select cctv.parse_cron('* * * * * *');
select cctv.parse_cron('@daily');
select cctv.parse_cron('30 seconds');
select cctv.parse_cron('60 * * * *');
select cctv.parse_cron('* 24 * * *');
select cctv.parse_cron('* * 0 * *');
select cctv.parse_cron('* * * 13 *');
select cctv.parse_cron('* * * * 8');
select cctv.parse_cron('* * * * mo');
select cctv.parse_cron('* * * foo *');
select cctv.parse_cron('* mon * * *');
select cctv.parse_cron('5/2 * * * *');
select cctv.parse_cron('*/0 * * * *');
select cctv.parse_cron('9-5 * * * *');
select cctv.parse_cron('1,,2 * * * *');
select cctv.parse_cron('-1 * * * *');
select cctv.parse_cron('1- * * * *');
select cctv.parse_cron('99999999999 * * * *');
rollback;
