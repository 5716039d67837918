-- Absences: cameras that are away, alerts and notifications of them, and of
-- their return; schedules of what runs.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
set intervalstyle = 'postgres';
begin;
update cctv.cameras set enabled = false;
update cctv.alert_rules set enabled = false;
insert into cctv.cameras (camera_id, name, url) values (-1, 'lobby', 'rtsp://192.0.2.7/1'), (-2, 'yard', 'rtsp://192.0.2.7/2'), (-3, 'hall', 'rtsp://192.0.2.7/3');

-- History of an afternoon: what rules say of it.
insert into cctv.camera_events (camera_id, at, state, previous)
select camera, timestamptz '2026-03-01 12:00:00+00' + at * interval '1 s', state, lag(state, 1, 'stopped') over (partition by camera order by at)
from (values
	(-1, 0, 'starting'), (-1, 5, 'running'),
	(-1, 100, 'reconnecting'), (-1, 120, 'running'),
	(-1, 200, 'reconnecting'), (-1, 210, 'error'), (-1, 260, 'reconnecting'), (-1, 300, 'running'),
	(-1, 320, 'reconnecting'), (-1, 400, 'running'),
	(-1, 700, 'error'), (-1, 750, 'stopped'),
	(-2, 0, 'starting'), (-2, 50, 'error'), (-2, 500, 'running'), (-2, 600, 'finished'),
	(-3, 0, 'starting'), (-3, 5, 'running'), (-3, 650, 'reconnecting')) as v (camera, at, state);
create function pg_temp.rule(fields jsonb) returns cctv.alert_rules language sql as $$
	select jsonb_populate_record(null::cctv.alert_rules, fields)
$$;
create function pg_temp.tell(fields jsonb, from_s numeric default 0, upto_s numeric default 1000) returns table (camera text, at integer, stayed interval) language sql as $$
	select c.name, extract(epoch from b.at - '2026-03-01 12:00:00+00')::integer, b.stayed
	from cctv.backtest(pg_temp.rule(fields), timestamptz '2026-03-01 12:00:00+00' + from_s * interval '1 s', timestamptz '2026-03-01 12:00:00+00' + upto_s * interval '1 s') as b
		join cctv.cameras as c using (camera_id)
	where b.camera_id < 0
$$;
select * from pg_temp.tell('{"source": "camera_offline", "min_dwell": "30 s"}');
select * from pg_temp.tell('{"source": "camera_recovered", "min_dwell": "30 s"}');
select * from pg_temp.tell('{"source": "camera_offline", "min_dwell": "30 s", "camera_id": -1, "cooldown": "3 minutes"}');
select * from pg_temp.tell('{"source": "camera_offline"}') where camera = 'lobby';
-- As it looked in the middle; and what was due later.
select * from pg_temp.tell('{"source": "camera_offline", "min_dwell": "30 s"}', 0, 229);
select * from pg_temp.tell('{"source": "camera_offline", "min_dwell": "30 s"}', 0, 230) where camera = 'lobby';
select * from pg_temp.tell('{"source": "camera_offline", "min_dwell": "30 s"}', 230, 351) where camera = 'lobby';
-- With a schedule an absence is reported when it begins, unless it has ended.
insert into cctv.alert_rules (rule_id, name, source, min_dwell) values (-1, 'hours', 'camera_offline', '30 s'), (-2, 'back', 'camera_recovered', '0');
select cctv.schedule_rule(-1, starts => '12:04', ends => '12:06') is not null, cctv.schedule_rule(-2, starts => '12:06', ends => '12:07') is not null;
select c.name, b.at from cctv.backtest(-1, '2026-03-01 12:00+00', '2026-03-01 12:20+00') as b join cctv.cameras as c using (camera_id) where b.camera_id < 0;
select c.name, b.at from cctv.backtest(-2, '2026-03-01 12:00+00', '2026-03-01 12:20+00') as b join cctv.cameras as c using (camera_id) where b.camera_id < 0;
delete from cctv.alert_rules where rule_id < 0;
delete from cctv.camera_events where camera_id < 0;

-- The same as it happens. Time passes by moving what has happened back.
update cctv.cameras set enabled = true where camera_id < 0;
select count(*) from cctv.assign_engines(16);
insert into cctv.alert_rules (rule_id, name, camera_id, source, severity, min_dwell, updated_at) values
	(-1, 'offline', -1, 'camera_offline', 'critical', '30 s', now() - interval '1 day'), (-2, 'back', -1, 'camera_recovered', 'info', '30 s', now() - interval '1 day');
create function pg_temp.passes(t interval) returns void language sql as $$
	update cctv.camera_events set at = at - t where camera_id < 0;
	update cctv.camera_status set since = since - t where camera_id < 0;
	update cctv.alerts set at = at - t, ended_at = ended_at - t where camera_id < 0;
	update cctv.rule_cooldown set seen_at = seen_at - t, last_at = last_at - t where camera_id < 0;
$$;
create function pg_temp.becomes(camera integer, state text, message text default null) returns bigint language sql as $$
	select cctv.ingest(jsonb_build_array(jsonb_build_object('type', 'state', 'camera_id', camera, 'state', state, 'message', message)), false)
$$;
create function pg_temp.tick() returns bigint language sql as $$ select cctv.ingest('[{"type": "engine", "engine": 1, "pid": 1}]', false) $$;
create view pg_temp.said as
select 'alert' as what, a.alert_id as id, r.name, a.alert_type || ': ' || regexp_replace(a.description, 'after \d+', 'after N') as words, a.severity, a.ended_at is not null as ended from cctv.alerts as a join cctv.alert_rules as r using (rule_id) where a.camera_id < 0
union all select 'note', n.notification_id, n.topic, n.message, n.kind, null from cctv.notifications as n where n.camera_id < 0
order by what, id;
select pg_temp.becomes(n, 'running') from generate_series(-2, -1) as n;
select pg_temp.becomes(-1, 'reconnecting', 'no frame for 10 s');
select pg_temp.tick();
select pg_temp.passes('5 s');
select pg_temp.tick();
select count(*) from pg_temp.said;
select pg_temp.passes('6 s');
select pg_temp.tick();
select what, name, words, severity, ended from pg_temp.said;
select pg_temp.becomes(-1, 'error', 'connection refused');
select pg_temp.passes('10 s');
select pg_temp.tick();
select pg_temp.passes('10 s');
select pg_temp.tick(), pg_temp.tick();
select what, name, words, severity, ended from pg_temp.said;
select pg_temp.passes('60 s');
select pg_temp.tick();
select pg_temp.becomes(-1, 'running');
select what, name, words, severity, ended from pg_temp.said;
select pg_temp.tick();
select count(*) from pg_temp.said;
-- Gone and back before anybody looked: both are told.
select pg_temp.becomes(-1, 'reconnecting');
select pg_temp.passes('40 s');
select pg_temp.becomes(-1, 'running');
select what, name, words, severity, ended from pg_temp.said where what = 'alert';
-- A stopped camera is not away.
select pg_temp.becomes(-1, 'reconnecting');
update cctv.cameras set enabled = false where camera_id = -1;
select count(*) from cctv.assign_engines(16) where camera_id = -1;
select pg_temp.passes('1 hour');
select pg_temp.tick() >= 0 as looked;
select count(*) from pg_temp.said where what = 'alert';

-- What runs, and looks for objects, by schedule.
delete from cctv.schedules;
create function pg_temp.clock(t interval) returns text language sql as $$ select to_char(now() at time zone 'UTC' + t, 'HH24:MI:SS') $$;
select cctv.schedule(-2, 'run', starts => pg_temp.clock('-1 hour'), ends => pg_temp.clock('1 hour'), time_zone => 'UTC') as run_now,
	cctv.schedule(-2, 'detect', starts => pg_temp.clock('1 hour'), ends => pg_temp.clock('2 hours'), time_zone => 'UTC') as detect_later,
	cctv.schedule(-3, 'run', starts => pg_temp.clock('1 hour'), ends => pg_temp.clock('2 hours'), time_zone => 'UTC') as run_later \gset
select camera_id from cctv.assign_engines(16) where camera_id < 0;
select c ->> 'detect' as detects from cctv.camera_status as s, jsonb_array_elements(cctv.desired_state(s.engine) -> 'cameras') as c where s.camera_id = -2 and c ->> 'camera_id' = '-2';
select state, message from cctv.camera_status where camera_id = -3;
select action, is_on, until - date_trunc('second', now()) as until from cctv.schedule_at('yard') order by action;
select action, is_on, until - date_trunc('second', now()) as until from cctv.schedule_at('hall') where action = 'run';
select cctv.next_look() - date_trunc('second', now()) as looks_again;
-- What an engine still says of a camera whose time is over comes too late.
select pg_temp.becomes(-3, 'running');
-- Its edge: as it would be an hour from now.
update cctv.schedules set starts = pg_temp.clock('-10 minutes')::time, ends = pg_temp.clock('10 minutes')::time where schedule_id in (:detect_later, :run_later);
update cctv.schedules set starts = pg_temp.clock('-2 hours')::time, ends = pg_temp.clock('-10 minutes')::time where schedule_id = :run_now;
select camera_id from cctv.assign_engines(16) where camera_id < 0;
select camera_id, state, message from cctv.camera_status where camera_id in (-2, -3) order by camera_id desc;
select cctv.unschedule('yard', 'run'), cctv.unschedule('hall', 'run');
select camera_id from cctv.assign_engines(16) where camera_id < 0;

-- Zones go to the engine.
select cctv.add_zone(-3, 'flag', '{{0,0},{0.4,0},{0.4,0.1}}', 'mask') is not null, cctv.add_zone(-3, 'window', '{{0.5,0.5},{1,0.5},{1,1}}', 'privacy') is not null, cctv.add_zone(-3, 'dock', '{{0,0},{1,0},{1,0.5}}') is not null;
select c -> 'masks' as masks, c -> 'privacy' as privacy, c -> 'watched' as watched
from cctv.camera_status as s, jsonb_array_elements(cctv.desired_state(s.engine) -> 'cameras') as c where s.camera_id = -3 and c ->> 'camera_id' = '-3';
select cctv.add_rule('loiter', 'hall', zone => 'dock', min_dwell => '10 s') is not null, cctv.add_rule('crowd', 'hall', min_count => 3) is not null, cctv.add_rule('plain', 'hall', zone => 'dock') is not null;
select c -> 'watched' as watched
from cctv.camera_status as s, jsonb_array_elements(cctv.desired_state(s.engine) -> 'cameras') as c where s.camera_id = -3 and c ->> 'camera_id' = '-3';

-- The rules that a new camera gets, and says so.
select cctv.add_camera('new', 'rtsp://192.0.2.7/9') is not null as added;
select r.name, r.source, r.alert_type, r.severity, r.labels, r.min_dwell, r.cooldown from cctv.alert_rules as r join cctv.cameras as c using (camera_id) where c.name = 'new' order by rule_id;
select count(*) from cctv.default_rules('new');
rollback;
