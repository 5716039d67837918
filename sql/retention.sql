-- Partitions and retention: days come and go, history expires.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'Asia/Tokyo';
set datestyle = 'ISO';
begin;
insert into cctv.alert_rules (name) values ('object');
-- Nothing else is kept in this transaction.
update cctv.cameras set enabled = false, removed_at = coalesce(removed_at, now()), purge = true;
select cctv.maintain();
select (now() at time zone 'UTC')::date as today
\gset

-- A week ahead, by UTC days whatever the session's time zone.
create view pg_temp.p as
select partition::text, day from cctv.partitions() order by day;
select count(*), min(day) = :'today' as from_today, max(day) - :'today'::date as days_ahead from pg_temp.p;
select pg_get_expr(c.relpartbound, c.oid)
	= format('FOR VALUES FROM (%L) TO (%L)', :'today'::timestamp at time zone 'UTC', (:'today'::date + 1)::timestamp at time zone 'UTC') as utc_bounds,
	pg_get_userbyid(c.relowner) as owner, obj_description(c.oid) = format('Detections of %s (UTC)', :'today') as commented
from cctv.partitions() as p join pg_class as c on c.oid = p.partition
where p.day = :'today';
-- Every partition has what its parent has, and is no member of the extension.
select count(*) from pg_index as i join cctv.partitions() as p on p.partition = i.indrelid where i.indisprimary;
select count(distinct conname) from pg_constraint as c join cctv.partitions() as p on p.partition = c.conrelid where c.contype = 'c';
select count(*) from pg_depend as d join cctv.partitions() as p on p.partition = d.objid where d.deptype = 'e';
-- Again changes nothing; a gap is filled.
select cctv.maintain();
select count(*) from pg_temp.p;
do $$
begin
	execute (select format('drop table %s', partition) from pg_temp.p where day = (now() at time zone 'UTC')::date + 3);
end
$$;
select cctv.maintain();
select count(*) from pg_temp.p;

-- Three cameras and their history: a month (the default), a week, for ever.
insert into cctv.cameras (camera_id, name, url, retention, file_start) values
	(-1, 'month', 'rtsp://192.0.2.1/', default, '2020-01-01 00:00:00+00'),
	(-2, 'week', 'rtsp://192.0.2.2/', '7 days', '2020-01-01 00:00:00+00'),
	(-3, 'footage', '/srv/video/old.mp4', '7 days', '2020-05-01 00:00:00+00');
create function pg_temp.sighting(camera integer, seen timestamptz) returns jsonb
	language sql as $$
	select jsonb_build_object('type', 'objects', 'camera_id', camera, 'session', md5(camera::text),
		'seq', extract(epoch from seen)::bigint, 'at', seen, 'objects', jsonb_build_array(
			jsonb_build_object('track', extract(epoch from seen)::bigint / 60, 'label', 'person', 'confidence', 0.9,
				'box', '[0.1,0.1,0.2,0.2]'::jsonb, 'stationary', false, 'model', 'objects')))
$$;
do $$
begin
	-- Noon of yesterday and of each third day before, 13 days; 2 days of old footage.
	for n in reverse 12 .. 0 loop
		perform cctv.ingest(jsonb_agg(pg_temp.sighting(camera,
				date_trunc('day', now(), 'UTC') - interval '12 hours' - n * 3 * interval '1 day')))
			from unnest('{-1,-2}'::integer[]) as camera;
	end loop;
	perform cctv.ingest(jsonb_build_array(pg_temp.sighting(-3, '2020-05-01 12:00:00+00'), pg_temp.sighting(-3, '2020-05-03 12:00:00+00')));
end
$$;
-- From a live camera that history would have been refused as too old.
update cctv.cameras set file_start = null where camera_id in (-1, -2);
insert into cctv.camera_events (camera_id, at, state, previous)
	select camera, now() - n * interval '4 days', 'running', 'starting'
	from unnest('{-1,-2}'::integer[]) as camera, generate_series(0, 9) as n;
create view pg_temp.kept as
select c.name as camera,
	(select count(*) from cctv.detections as d where d.camera_id = c.camera_id) as detections,
	(select count(*) from cctv.tracks as t where t.camera_id = c.camera_id) as tracks,
	(select count(*) from cctv.alerts as a where a.camera_id = c.camera_id) as alerts,
	(select count(*) from cctv.camera_events as e where e.camera_id = c.camera_id) as events
from cctv.cameras as c
where c.camera_id < 0
order by c.camera_id desc;
select * from pg_temp.kept;
select count(*) filter (where day < :'today'::date - 30) as older_than_a_month,
	count(*) filter (where day < '2021-01-01') as footage
from pg_temp.p;
select cctv.maintain();
select * from pg_temp.kept;
select count(*) filter (where day < :'today'::date - 30 and day > '2021-01-01') as older_than_a_month,
	count(*) filter (where day < '2021-01-01') as footage
from pg_temp.p;
-- Nothing is orphaned.
select count(*) from cctv.detections as d where not exists (select from cctv.tracks as t where t.track_id = d.track_id);

-- By batches: one call deletes so many rows and says whether more are left.
savepoint batches;
update cctv.cameras set removed_at = now(), purge = true where camera_id = -1;
select cctv.expire(c, '2020-01-01', 4) as done from cctv.cameras as c where camera_id = -1;
select * from pg_temp.kept where camera = 'month';
select cctv.expire(c, '2020-01-01', 100) as done from cctv.cameras as c where camera_id = -1;
select cctv.expire(c, '2020-01-01', 100) as done from cctv.cameras as c where camera_id = -1;
select * from pg_temp.kept where camera = 'month';
rollback to batches;

-- A camera removed with its history: all of it goes, then the row.  Removed
-- without: the history stays as long as retention says.
select cctv.remove_camera(-1, keep_history => false);
select cctv.remove_camera(-2, keep_history => true);
select cctv.maintain();
select * from pg_temp.kept;
select camera, count(*) from cctv.v_alerts where camera_id = -2 group by camera;
update cctv.cameras set retention = '1 day' where camera_id = -2;
update cctv.camera_events set at = at - interval '1 month' where camera_id = -2;
update cctv.alerts set at = at - interval '1 month' where camera_id = -2;
update cctv.tracks set first_seen = first_seen - interval '1 month', last_seen = last_seen - interval '1 month', ended_at = null
where camera_id = -2;
delete from cctv.detections where camera_id = -2;
select cctv.maintain();
select count(*) from cctv.cameras where camera_id = -2;
-- Footage goes when its camera goes.
select cctv.remove_camera(-3, keep_history => false);
select cctv.maintain();
select count(*) from pg_temp.p where day < :'today';
select cctv.maintain();
select count(*) from cctv.cameras where camera_id < 0;

rollback;
