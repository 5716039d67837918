-- Alert rules: every field, live and in backtests.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
set intervalstyle = 'postgres';
begin;
update cctv.alert_rules set enabled = false;

insert into cctv.cameras (camera_id, name, url, labels, min_confidence, file_start, time_zone)
	select -n, 'camera ' || n, '/srv/video/rules.mp4', '{person,car,dog}', 0.4, '2026-03-02 12:00:00+00', 'UTC'
	from generate_series(1, 9) as n;
-- One object's report.
create function pg_temp.report(camera integer, seq integer, at interval, track integer, x real, y real, label text default 'person', confidence real default 0.9, stationary boolean default false)
	returns jsonb language sql as $$
	select jsonb_build_object('type', 'objects', 'camera_id', camera, 'session', md5('rules' || camera), 'seq', seq,
		'at', timestamptz '2026-03-02 12:00:00+00' + at,
		'objects', jsonb_build_array(jsonb_build_object('track', track, 'label', label, 'confidence', confidence,
			'box', array[x - 0.05, y - 0.1, 0.1, 0.1]::real[], 'stationary', stationary, 'model', 'objects')))
$$;
-- A track that stands at (x, y) at these seconds.
create function pg_temp.walk(camera integer, track integer, at numeric[], x real[], y real[], label text default 'person', first_seq integer default 1)
	returns bigint language sql as $$
	select cctv.ingest(jsonb_agg(pg_temp.report(camera, first_seq + n::integer, a * interval '1 s', track, px, py, label) order by n), false)
	from unnest(at, x, y) with ordinality as s (a, px, py, n)
$$;
create view pg_temp.a as
select c.name as camera, r.name as rule, t.engine_track as track, to_char(a.at, 'HH24:MI:SS.MS') as at, a.alert_type as type, a.severity, a.label, a.description
from cctv.alerts as a join cctv.cameras as c using (camera_id) left join cctv.alert_rules as r using (rule_id) left join cctv.tracks as t using (track_id)
where a.camera_id < 0
order by a.camera_id desc, a.at, r.name, t.engine_track;
create function pg_temp.forget() returns void language sql as $$
	delete from cctv.alerts where camera_id < 0;
	delete from cctv.alert_rules where enabled;
	delete from cctv.rule_state;
$$;

-- Labels, confidence, severity and type.
select cctv.add_rule('any thing', 'camera 1') is not null, cctv.add_rule('vehicles', 'camera 1', 'intrusion', 'critical', '{car,truck}') is not null,
	cctv.add_rule('sure', 'camera 1', min_confidence => 0.8) is not null, cctv.add_rule('off', 'camera 1', enabled => false) is not null,
	cctv.add_rule('elsewhere', 'camera 2') is not null, cctv.add_rule('everywhere', labels => '{dog,cat}') is not null;
select cctv.ingest(jsonb_build_array(
	pg_temp.report(-1, 1, '1 s', 1, 0.5, 0.5, 'person', 0.35), pg_temp.report(-1, 2, '2 s', 1, 0.5, 0.5, 'person', 0.6),
	pg_temp.report(-1, 3, '3 s', 1, 0.5, 0.5, 'person', 0.85), pg_temp.report(-1, 4, '4 s', 2, 0.5, 0.5, 'car'),
	pg_temp.report(-1, 5, '5 s', 3, 0.5, 0.5, 'cat'), pg_temp.report(-1, 6, '6 s', 4, 0.5, 0.5, 'truck'))) as announced;
select * from pg_temp.a;
select pg_temp.forget();

-- Zone and dwell. The bottom centre counts; a moment outside does not, a longer one does.
select cctv.add_zone('camera 1', 'dock', '{{0.2,0.2},{0.8,0.2},{0.8,0.8},{0.2,0.8}}') is not null;
select cctv.add_rule('in dock', 'camera 1', zone => 'dock') is not null, cctv.add_rule('loitering', 'camera 1', 'loitering', zone => 'dock', min_dwell => '5 s') is not null,
	cctv.add_rule('lingering', 'camera 1', min_dwell => '4 s') is not null;
select pg_temp.walk(-1, 11, '{10,11,12,13,14,15,16,17,18,19}', '{0.1,0.3,0.5,0.5,0.5,0.5,0.5,0.5,0.9,0.5}', '{0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5}', first_seq => 100);
-- Out for less than a second, then for two.
select pg_temp.walk(-1, 12, '{20,21,22,22.5,23,24,25,26}', '{0.5,0.5,0.5,0.9,0.5,0.5,0.5,0.5}', '{0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5}', first_seq => 200);
select pg_temp.walk(-1, 13, '{30,31,32,33,34,35,36,37,38,39}', '{0.5,0.5,0.5,0.9,0.9,0.9,0.5,0.5,0.5,0.5}', '{0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5}', first_seq => 300);
-- The box reaches into the zone, its bottom does not.
select pg_temp.walk(-1, 14, '{40,41}', '{0.5,0.5}', '{0.85,0.85}', first_seq => 400);
select * from pg_temp.a;
select t.engine_track, z.name from cctv.alert_zones join cctv.alerts as a using (alert_id) join cctv.tracks as t using (track_id) join cctv.zones as z using (zone_id) order by a.alert_id;
select pg_temp.forget();

-- A line, from either side; a step may be long. A line's own direction holds unless the rule has one.
select cctv.add_zone('camera 1', 'gate', '{{0,0.5},{1,0.5}}', 'line') is not null, cctv.add_zone('camera 1', 'exit', '{{0,0.7},{1,0.7}}', 'line', 'right_to_left') is not null;
select cctv.add_rule('gate', 'camera 1', line => 'gate') is not null, cctv.add_rule('gate down', 'camera 1', line => 'gate', direction => 'left_to_right') is not null,
	cctv.add_rule('gate up', 'camera 1', line => 'gate', direction => 'right_to_left') is not null, cctv.add_rule('exit', 'camera 1', line => 'exit') is not null,
	cctv.add_rule('exit too', 'camera 1', line => 'exit', direction => 'any') is not null;
select pg_temp.walk(-1, 21, '{50,51,52}', '{0.5,0.5,0.5}', '{0.3,0.6,0.9}', first_seq => 500);
select pg_temp.walk(-1, 22, '{60,61,62}', '{0.5,0.5,0.5}', '{0.9,0.6,0.3}', first_seq => 600);
select pg_temp.walk(-1, 23, '{70,71,72,73}', '{0.5,0.5,0.5,0.5}', '{0.4,0.45,0.4,0.45}', first_seq => 700);
select * from pg_temp.a;
select pg_temp.forget();

-- A crowd: three at once in the dock; who was part of one makes no other, a newcomer does. One that is gone does not count.
select cctv.add_rule('crowd', 'camera 1', 'crowd', zone => 'dock', min_count => 3) is not null;
select cctv.ingest(jsonb_agg(pg_temp.report(-1, 800 + n::integer, at * interval '1 s', track, 0.5, y) order by n), false)
from (values (80, 31, 0.5), (80.5, 32, 0.9), (81, 33, 0.5), (81.5, 32, 0.5), (82, 34, 0.5), (82.5, 31, 0.5), (90, 35, 0.5), (90.2, 36, 0.5), (95, 37, 0.5))
	as v (at, track, y), lateral (select (at * 10)::integer - 800 as n) as s;
select * from pg_temp.a;
-- One that stands still is there for longer.
select cctv.ingest(jsonb_build_array(
	pg_temp.report(-1, 1001, '100 s', 41, 0.4, 0.5, stationary => true), pg_temp.report(-1, 1002, '101 s', 42, 0.5, 0.5, stationary => true),
	pg_temp.report(-1, 1003, '110 s', 43, 0.6, 0.5))) as announced;
select * from pg_temp.a where track > 40;
-- Who comes back after a while without a sighting is part of a new crowd, and makes no second alert.
select cctv.ingest(jsonb_agg(pg_temp.report(-1, 1010 + n, at * interval '1 s', track, 0.5, 0.5) order by n)) as announced
from (values (1, 113.1, 44), (2, 113.2, 45), (3, 113.3, 46), (4, 118, 44), (5, 118.1, 45), (6, 118.2, 46)) as v (n, at, track);
select count(*) as live, (
	select count(*)
	from cctv.alert_rules as r, cctv.backtest(r, '2026-03-02 12:01:53+00', '2026-03-02 12:01:59+00')
	where r.name = 'crowd') as backtest
from pg_temp.a where track > 43;
select pg_temp.forget();

-- Cooldown: per camera and label.
select cctv.add_rule('calm', cooldown => '10 s') is not null;
select cctv.ingest(jsonb_build_array(
	pg_temp.report(-1, 1101, '120 s', 51, 0.4, 0.5), pg_temp.report(-1, 1102, '121 s', 52, 0.4, 0.5), pg_temp.report(-1, 1103, '122 s', 53, 0.4, 0.5, 'car'),
	pg_temp.report(-2, 1104, '123 s', 54, 0.4, 0.5), pg_temp.report(-1, 1105, '129.9 s', 55, 0.4, 0.5), pg_temp.report(-1, 1106, '130 s', 56, 0.4, 0.5),
	pg_temp.report(-1, 1107, '139 s', 52, 0.4, 0.5), pg_temp.report(-1, 1108, '145 s', 52, 0.4, 0.5))) as announced;
select camera, rule, track, at from pg_temp.a;
select pg_temp.forget();

-- A clock that was set back: what lies ahead keeps nothing quiet, and nobody in a crowd.
select cctv.add_rule('calm', 'camera 1', cooldown => '1 hour') is not null, cctv.add_rule('two', 'camera 1', min_count => 2) is not null;
select cctv.ingest(jsonb_build_array(pg_temp.report(-1, 1109, '200 s', 57, 0.4, 0.5))) as announced;
select cctv.ingest(jsonb_build_array(pg_temp.report(-1, 1110, '60 s', 58, 0.4, 0.5))) as announced;
select cctv.ingest(jsonb_build_array(pg_temp.report(-1, 1111, '61 s', 59, 0.4, 0.5))) as announced;
select camera, rule, track, at, description from pg_temp.a;
select pg_temp.forget();

-- Schedule: an object that is there when it begins raises the alert then.
select cctv.add_rule('at night', 'camera 1') as night, cctv.add_rule('loitering at night', 'camera 1', min_dwell => '90 s') as late \gset
select cctv.schedule_rule(:night, starts => '12:03', ends => '12:04') is not null, cctv.schedule_rule(:late, starts => '12:03', ends => '12:04') is not null;
select pg_temp.walk(-1, 61, '{170,175,179.9,180,200}', '{0.5,0.5,0.5,0.5,0.5}', '{0.5,0.5,0.5,0.5,0.5}', first_seq => 1200);
select pg_temp.walk(-1, 62, '{171,230,239}', '{0.5,0.5,0.5}', '{0.5,0.5,0.5}', first_seq => 1300);
select pg_temp.walk(-1, 63, '{240,241}', '{0.5,0.5}', '{0.5,0.5}', first_seq => 1400);
select rule, track, at, description from pg_temp.a;
-- What was worked out for the batch before does not hold when the schedule changes, or the camera's time zone.
update cctv.schedules set ends = '12:05' where rule_id = :night;
select pg_temp.walk(-1, 64, '{250}', '{0.5}', '{0.5}', first_seq => 1500);
update cctv.cameras set time_zone = 'Asia/Kathmandu' where camera_id = -1;
select pg_temp.walk(-1, 65, '{251}', '{0.5}', '{0.5}', first_seq => 1600);
update cctv.cameras set time_zone = 'UTC' where camera_id = -1;
select pg_temp.walk(-1, 66, '{252}', '{0.5}', '{0.5}', first_seq => 1700);
select rule, track, at from pg_temp.a where track > 63;
select pg_temp.forget();

-- However the reports are cut into batches, and whether live or in a backtest,
-- the alerts are the same.  Nine objects wander for two minutes, now and then
-- unseen, mistaken or standing still; three cameras see the same.
create table pg_temp.stream as
with frame as (select n, n * interval '0.2 s' as at from generate_series(1, 600) as n),
h as (select n, at, t, (hashint8extended(n * 100 + t, 1) & 1023) / 1023.0 as u, (hashint8extended(n * 100 + t, 2) & 1023) / 1023.0 as v from frame, generate_series(1, 9) as t)
select n, jsonb_build_object('type', 'objects', 'seq', n, 'at', timestamptz '2026-03-02 12:00:00+00' + at, 'objects', jsonb_agg(jsonb_build_object(
	-- A track lives for 40 s.
	'track', t * 1000 + (n + t * 37) / 200, 'label', case when v > 0.97 then 'dog' when t % 3 = 0 then 'car' else 'person' end, 'confidence', round((0.3 + 0.69 * v)::numeric, 3),
	'box', array[round((0.45 + 0.4 * sin(n / (40.0 + t * 3) + t) + 0.03 * u)::numeric, 4), round((0.4 + 0.35 * cos(n / (33.0 + t * 5) + t) + 0.03 * v)::numeric, 4), 0.1, 0.1],
	'stationary', t % 4 = 0, 'model', 'objects') order by t)) as line
from h
where u > 0.2 and (t % 4 <> 0 or n % 7 = 0)
group by n, at
union all
select n, jsonb_build_object('type', 'track_end', 'seq', 0, 'at', timestamptz '2026-03-02 12:00:00+00' + at, 'track', t * 1000 + (n + t * 37) / 200 - 1)
from frame, generate_series(1, 9) as t
where (n + t * 37) % 200 = 20 and n > 200;
create table pg_temp.numbered as select row_number() over (order by n, line ->> 'type', line ->> 'track') as seq, n, line from pg_temp.stream;
select count(*) as lines from pg_temp.numbered;
select cctv.add_zone(-n, 'yard', '{{0.3,0.3},{0.7,0.3},{0.7,0.7},{0.3,0.7}}') is not null, cctv.add_zone(-n, 'fence', '{{0,0.45},{0.5,0.55},{1,0.45}}', 'line') is not null
from generate_series(4, 6) as n;
select count(cctv.add_rule(r.name, 'camera ' || n, type, zone => zone, line => line, direction => direction, min_dwell => dwell::interval, min_count => size, cooldown => cooldown::interval, labels => labels, min_confidence => confidence))
from generate_series(4, 6) as n, (values
	('plain', null, null, null, null, '0', 1, '0', null::text[], null::real),
	('plain calm', null, null, null, null, '0', 1, '7 s', null, 0.6),
	('zone', null, 'yard', null, null, '0', 1, '0', '{person,car}', 0.5),
	('dwell', 'loitering', 'yard', null, null, '3 s', 1, '0', null, null),
	('dwell calm', 'loitering', 'yard', null, null, '2 s', 1, '10 s', null, null),
	('line', null, null, 'fence', null, '0', 1, '0', null, null),
	('line down', null, null, 'fence', 'left_to_right', '0', 1, '5 s', null, null),
	('line up in yard', null, 'yard', 'fence', 'right_to_left', '1 s', 1, '0', null, null),
	('crowd', 'crowd', null, null, null, '0', 7, '0', null, null),
	('crowd in yard', 'crowd', 'yard', null, null, '1 s', 3, '4 s', null, null),
	('scheduled', null, null, null, null, '0', 1, '0', null, null),
	('scheduled dwell', null, 'yard', null, null, '2 s', 1, '3 s', null, null)) as r (name, type, zone, line, direction, dwell, size, cooldown, labels, confidence);
select count(cctv.schedule_rule(rule_id, starts => '12:00:30', ends => '12:01')), count(cctv.schedule_rule(rule_id, starts => '1 12 * * *', ends => '2 12 * * *'))
from cctv.alert_rules where name like 'scheduled%';
do $$
declare
	batch jsonb;
begin
	-- All at once; line by line; cut at random.
	for batch in
		select jsonb_agg(line || jsonb_build_object('camera_id', camera, 'session', md5('cut' || camera), 'seq', seq) order by seq)
		from pg_temp.numbered, generate_series(-6, -4) as camera,
			lateral (select case camera when -4 then seq / 100000 when -5 then seq else (
				select count(*) from generate_series(1, seq) as b where hashint8extended(b, 3) & 63 < 3) end as cut) as c
		group by camera, cut
		order by camera, cut
	loop
		perform cctv.ingest(batch, false);
	end loop;
end
$$;
create view pg_temp.raised as
select a.camera_id, r.name, r.rule_id, t.engine_track, a.track_id, a.at, a.label, a.confidence, a.x, a.y, a.description
from cctv.alerts as a join cctv.alert_rules as r using (rule_id) join cctv.tracks as t using (track_id)
where a.camera_id between -6 and -4;
select name, count(*) filter (where camera_id = -4) as at_once, count(*) filter (where camera_id = -5) as by_line, count(*) filter (where camera_id = -6) as by_chance,
	count(distinct (engine_track, at, label, confidence, x, y, description)) as different
from pg_temp.raised group by name order by name;
-- Backtests of the same.
select r.name, count(*) as alerts, bool_and(b.same) as same_as_live
from cctv.alert_rules as r,
	lateral (
		select b.track_id is not null and a.track_id is not null and b.x = a.x and b.label = a.label as same
		from cctv.backtest(r, '2026-03-02 12:00:00+00', '2026-03-02 12:05:00+00') as b
			full join (select * from pg_temp.raised where rule_id = r.rule_id) as a using (track_id, at)) as b
where r.camera_id between -6 and -4
group by r.name order by r.name;
-- A rule that is not saved, over part of it.
select count(*), min(at) >= '2026-03-02 12:00:30+00' as in_time from cctv.backtest(
	jsonb_populate_record(null::cctv.alert_rules, '{"camera_id": -4, "labels": ["car"], "min_dwell": "5 s"}'), '2026-03-02 12:00:30+00', '2026-03-02 12:01:30+00');
-- What is remembered is bounded: nothing of tracks that have ended.
select count(*) from cctv.rule_state as s join cctv.tracks as t using (track_id) where t.ended_at is not null;
select max(cardinality(members)) <= 20 as few_members from cctv.crowd_state where camera_id < 0;
-- The same events twice change nothing.
select count(*) as before from cctv.alerts \gset
select cctv.ingest((select jsonb_agg(line || jsonb_build_object('camera_id', -4, 'session', md5('cut-4'), 'seq', seq)) from pg_temp.numbered where seq > 500));
select count(*) - :before as more from cctv.alerts;

-- Acknowledged once, by one.
select max(alert_id) as alert from cctv.alerts where camera_id = -4 \gset
select cctv.acknowledge(:alert, 'the postman');
select cctv.acknowledge(:alert, 'no, the plumber');
select acknowledged_at is not null as acknowledged, acknowledged_by = current_user::regrole as by_me, note from cctv.alerts where alert_id = :alert;
select cctv.acknowledge(0);

-- Alerts outlive their rules.
delete from cctv.alert_rules where camera_id = -4;
select count(*) > 0 as kept, count(rule_id) from cctv.alerts where camera_id = -4;

-- So they do cameras that were removed without their history.
savepoint removed;
select cctv.remove_camera(-4);
select cctv.acknowledge(:alert, 'nor the plumber');
select cctv.acknowledge(max(alert_id)) from cctv.alerts where camera_id = -4 and acknowledged_at is null;
rollback to removed;

-- A camera takes its zones, rules and what they remember along.
select cctv.remove_camera(-6, keep_history => false);
select cctv.maintain();
select (select count(*) from cctv.cameras where camera_id = -6) as cameras, (select count(*) from cctv.alerts where camera_id = -6) as alerts,
	(select count(*) from cctv.zones where camera_id = -6) as zones, (select count(*) from cctv.alert_rules where camera_id = -6) as rules,
	(select count(*) from cctv.crowd_state where camera_id = -6) as crowds, (select count(*) from cctv.rule_cooldown where camera_id = -6) as cooldowns;

-- A camera goes by its name or its number.
select cctv.add_rule('by number', -5, 'loitering', zone => 'yard', min_dwell => '5 s') as numbered \gset
select camera_id, alert_type, zone_id is not null as in_zone, min_dwell from cctv.alert_rules where rule_id = :numbered;
select cctv.remove_rule(:numbered);

-- What is wrong.
\set VERBOSITY terse
select cctv.add_rule('x', 0);
select cctv.add_rule('x', 'nowhere');
select cctv.add_rule('x', 'camera 1', zone => 'nowhere');
select cctv.add_rule('x', 'camera 1', zone => 'gate');
select cctv.add_rule('x', 'camera 1', line => 'dock');
select cctv.add_rule('x', zone => 'dock');
select cctv.add_rule('x', 'camera 1', direction => 'any');
select cctv.add_rule('x', 'camera 1', line => 'gate', direction => 'up');
select cctv.add_rule('x', 'camera 1', severity => 'loud');
select cctv.add_rule('x', 'camera 1', min_dwell => '-1 s');
select cctv.add_rule('x', 'camera 1', min_dwell => '25 hours');
select cctv.add_rule('x', 'camera 1', min_count => 0);
select cctv.add_rule('x', 'camera 1', cooldown => '-1 s');
select cctv.add_rule('x', 'camera 1', labels => '{}');
select cctv.add_rule('x', 'camera 1', min_confidence => 2);
select cctv.add_rule('x', 'camera 1', source => 'weather');
select cctv.add_rule('x', 'camera 1', source => 'camera_offline', labels => '{person}');
select cctv.add_rule('', 'camera 1');
select cctv.add_rule('off', 'camera 1', enabled => false);
-- An alert of that type is of no object.
select cctv.add_rule('lost', 'camera 1', 'camera_offline', min_dwell => '1 minute') is not null as added;
select source from cctv.alert_rules where name = 'lost';
select cctv.add_rule('lost', null, 'camera_offline', labels => '{person}');
update cctv.alert_rules set alert_type = 'camera_recovered' where name = 'off' returning source;
select cctv.backtest(jsonb_populate_record(null::cctv.alert_rules, '{"alert_type": "camera_offline"}'), '2000-01-01', now());
select cctv.remove_rule(0);
insert into cctv.alert_rules (name, camera_id, zone_id) select 'x', -1, zone_id from cctv.zones where camera_id = -5 and name = 'yard';
delete from cctv.zones where camera_id = -5 and name = 'yard';
select cctv.backtest(0, now(), now());
select cctv.backtest(r, now(), now() - interval '1 s') from cctv.alert_rules as r limit 1;
rollback;
