-- Views for dashboards, and the roll-ups behind them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'Asia/Kathmandu';
set datestyle = 'ISO';
begin;
insert into cctv.cameras (camera_id, name, url, location, labels, file_start) values
	(-1, 'lobby', '/srv/video/lobby.mp4', 'ground floor', '{person,car}', '2026-03-01 12:00:00+00'), (-2, 'yard', '/srv/video/yard.mp4', null, '{person}', '2026-03-01 12:00:00+00');
insert into cctv.zones (zone_id, camera_id, name, points) values (-1, -1, 'desk', '{{0,0},{1,0},{1,0.5},{0,0.5}}'), (-2, -1, 'left', '{{0,0},{0.5,0},{0.5,1},{0,1}}');
insert into cctv.alert_rules (rule_id, name, alert_type, severity) values (-1, 'anything', 'intrusion', 'critical');
set constraints all immediate;
create function pg_temp.see(camera integer, at timestamptz, label text, x real default 0.2, y real default 0.2) returns bigint language sql as $$
	select cctv.ingest(jsonb_build_array(jsonb_build_object('type', 'objects', 'camera_id', camera, 'session', md5('view' || camera),
		'seq', 1 + coalesce((select last_seq from cctv.sessions where session = md5('view' || camera)::uuid), 0), 'at', at,
		'objects', jsonb_build_array(jsonb_build_object('track', 1 + (select count(*) from cctv.tracks where camera_id = camera), 'label', label, 'confidence', 0.75,
			'box', array[x, y, 0.1, 0.1], 'stationary', false, 'model', 'objects')))), false)
$$;
select pg_temp.see(-1, '2026-03-01 12:10+00', 'person'), pg_temp.see(-1, '2026-03-01 12:50+00', 'person', 0.7), pg_temp.see(-1, '2026-03-01 13:00+00', 'car', 0.2, 0.8), pg_temp.see(-2, '2026-03-01 12:30+00', 'person');
select cctv.acknowledge(alert_id, 'seen') from cctv.alerts where camera_id = -2;
select at, camera, location, rule, alert_type, severity, description, label, confidence, x, acknowledged, acknowledged_by = current_user as by_me, note, seq > 0 as numbered
from cctv.v_alerts where camera_id < 0 order by seq;
select zone, at, camera, location, alert_type, severity, label from cctv.v_alert_zones where camera_id < 0 order by at, zone;

-- By the hour: the same before it is rolled up, after, and with what came late.
create view pg_temp.h as select hour, camera, location, alert_type, severity, label, alerts from cctv.v_alerts_hourly where camera_id < 0 order by hour, camera, label;
select * from pg_temp.h;
select count(*) from cctv.alerts_hourly where camera_id < 0;
select cctv.roll_up() as nothing_yet;
select cctv.roll_up('infinity') >= 3 as rolled_up;
select cctv.roll_up('infinity') as once;
select * from pg_temp.h;
select count(*) from cctv.alerts_hourly where camera_id < 0;
select pg_temp.see(-1, '2026-03-01 12:20+00', 'person');
select * from pg_temp.h;
select cctv.roll_up('infinity');
select count(*) from cctv.alerts_hourly where camera_id < 0;
-- They outlive the alerts.
delete from cctv.alerts where camera_id < 0;
select * from pg_temp.h;

-- What a dashboard must not have to take apart: every column is flat.
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
from pg_class as c join pg_attribute as a on a.attrelid = c.oid join pg_type as t on t.oid = a.atttypid
where c.relnamespace = 'cctv'::regnamespace and c.relname like 'v\_%' and a.attnum > 0
	and (t.typcategory in ('A', 'C', 'G') or t.typname in ('json', 'jsonb', 'timestamp', 'timetz', 'regrole'));
rollback;
