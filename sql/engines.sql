-- Engines: who runs where, what they are told, what becomes of a lost one.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
begin;
insert into cctv.alert_rules (name) values ('object');
-- Nothing else runs in this transaction.
update cctv.cameras set enabled = false where enabled;
select count(*) from cctv.assign_engines(16);

create view pg_temp.placed as
select string_agg(e.engine || ':' || e.cameras, ' ' order by e.engine) as placed
from (
	select engine, string_agg(camera_id::text, ',' order by camera_id desc) as cameras
	from cctv.camera_status
	where engine is not null
	group by engine) as e;
create view pg_temp.states as
select string_agg(camera_id || ' ' || state || coalesce(' (' || message || ')', ''), ', ' order by camera_id desc) as states
from cctv.camera_status
where camera_id < 0;

insert into cctv.cameras (camera_id, name, url, enabled)
	select -n, 'camera ' || n, 'rtsp://192.0.2.' || n || '/stream', true
	from generate_series(1, 7) as n;
select * from cctv.assign_engines(0);
select * from cctv.assign_engines(null);
select * from cctv.assign_engines(3);
select * from pg_temp.states;
select count(*) from cctv.camera_events where camera_id < 0;
-- Nothing changes when nothing has changed: neither places nor rows.
create view pg_temp.versions as
select md5(string_agg(concat_ws(' ', camera_id, ctid, xmin), ',' order by camera_id)) as version from cctv.camera_status;
select version from pg_temp.versions
\gset
select count(*) from cctv.assign_engines(3);
select version = :'version' as untouched from pg_temp.versions;

-- A stopped camera gives up its place; the next one takes the lowest.
update cctv.cameras set enabled = false where camera_id in (-6, -2);
select count(*) from cctv.assign_engines(3);
select * from pg_temp.placed;
insert into cctv.cameras (camera_id, name, url, enabled) values (-8, 'camera 8', '/srv/video/8.mp4', true);
select count(*) from cctv.assign_engines(3);
select * from pg_temp.placed;
select * from pg_temp.states;

-- Fewer places: who is beyond them moves.  More places: nobody moves.
select count(*) from cctv.assign_engines(2);
select * from pg_temp.placed;
select count(*) from cctv.assign_engines(16);
select * from pg_temp.placed;

-- A quarantined camera sits alone, until it is stopped.
select cctv.quarantine(-3, 'crashed two engines');
select cctv.quarantine(-99, 'crashed two engines');
select count(*) from cctv.assign_engines(16);
select * from pg_temp.placed;
select * from pg_temp.states;
insert into cctv.cameras (camera_id, name, url, enabled) values (-9, 'camera 9', 'rtsp://192.0.2.9/', true);
select count(*) from cctv.assign_engines(16);
select * from pg_temp.placed;
update cctv.cameras set enabled = false where camera_id = -3;
select count(*) from cctv.assign_engines(16);
update cctv.cameras set enabled = true where camera_id = -3;
select count(*) from cctv.assign_engines(16);
select * from pg_temp.placed;
select quarantined from cctv.camera_status where camera_id = -3;

-- A removed camera goes.
select cctv.remove_camera(-9);
select count(*) from cctv.assign_engines(16);
select * from pg_temp.placed;

-- What an engine is told.
update cctv.cameras set url = 'rtsp://viewer:pass word%21@192.0.2.1/stream', detect_fps = 2.5, labels = null, loop = true,
	file_start = '2024-01-01 00:00:00+00'
where camera_id = -1;
update cctv.camera_status set engine = 77 where camera_id in (-1, -8);
select jsonb_pretty(cctv.desired_state(77));
select cctv.desired_state(77)::text = cctv.desired_state(77)::text as same_text;
select cctv.desired_state(78);
-- All that docs/protocol.md promises about a camera, and no more.
select array(
	select jsonb_object_keys(cctv.desired_state(77) -> 'cameras' -> 0) as key
	except
	select unnest('{camera_id,run,name,url,detect_url,username,password,rtsp_transport,detect,detect_fps,idle_decode,models,labels,min_confidence,median_confidence,min_area,max_area,min_aspect,max_aspect,motion_threshold,motion_min_area,snapshots,snapshot_annotated,realtime,loop,file_start,masks,privacy,watched,record,record_manual,record_scheduled,pre_roll,post_roll,record_alert_from,record_alert_until,record_username,record_password,publish_url,publish_annotated,publish_username,publish_password}'::text[])) as unknown_keys;

-- A file that has ended is not wanted, until it is started again.
update cctv.camera_status set engine = 1 where camera_id in (-1, -8);
select cctv.ingest('[{"type": "state", "camera_id": -8, "session": "08000000000000000000000000000001", "seq": 1, "at": "2024-01-01T00:00:00Z", "state": "finished", "message": "end of file"}]');
select count(*) from cctv.assign_engines(16) where camera_id = -8;
select * from pg_temp.states;
update cctv.cameras set run = run + 1 where camera_id = -8;
select count(*) from cctv.assign_engines(16) where camera_id = -8;
select state, run, finished_run from cctv.camera_status where camera_id = -8;
-- The end of the former run, told late, does not end this one.
select cctv.ingest('[{"type": "state", "camera_id": -8, "state": "finished", "run": 1}]');
select count(*) from cctv.assign_engines(16) where camera_id = -8;
-- Stopped after its end it is stopped.
select cctv.ingest('[{"type": "state", "camera_id": -8, "state": "finished"}]');
update cctv.cameras set enabled = false where camera_id = -8;
select count(*) from cctv.assign_engines(16) where camera_id = -8;
select state from cctv.camera_status where camera_id = -8;

-- A lost engine: its cameras reconnect, what they saw has ended.
select cctv.ingest(('[
	{"type": "engine", "engine": 1, "pid": 4711, "rss": 1000, "cpu_ms": 10, "restarts": 0},
	{"type": "objects", "camera_id": -1, "session": "01000000000000000000000000000001", "seq": 1, "at": "' || now() || '", "objects": [
		{"track": 1, "label": "person", "confidence": 0.9, "box": [0, 0, 1, 1], "stationary": false, "model": "objects"}]}]')::jsonb);
select cctv.engine_lost(1, 'killed by signal 9');
select * from pg_temp.states;
select ended_at is not null as ended from cctv.tracks where camera_id = -1;
select ended_at is not null as ended from cctv.alerts where camera_id = -1;
select ended_at is not null as ended from cctv.sessions where camera_id = -1;
select pid, rss, message from cctv.engine_status where engine = 1;
select * from pg_temp.placed;
select cctv.engine_lost(55, 'never was');

-- A new worker: everything begins anew.
select cctv.ingest(('[
	{"type": "objects", "camera_id": -1, "session": "01000000000000000000000000000002", "seq": 1, "at": "' || now() || '", "objects": [
		{"track": 1, "label": "person", "confidence": 0.9, "box": [0, 0, 1, 1], "stationary": false, "model": "objects"}]}]')::jsonb);
select cctv.worker_started(4712);
select * from pg_temp.states;
select * from pg_temp.placed;
select count(*) from cctv.tracks where ended_at is null;
select count(*) from cctv.alerts where ended_at is null;
select count(*) from cctv.sessions where ended_at is null;
select count(*) from cctv.engine_status;
select count(*) from cctv.assign_engines(16);
select * from pg_temp.placed;

-- What a person is told.
select item, ok, message from cctv.health() where item ~ 'camera "camera [1-9]"' order by item limit 1;
select cctv.ingest('[{"type": "engine", "engine": 1, "pid": 4713, "rss": 104857600, "cpu_ms": 1234, "restarts": 2}]');
select item, ok, message from cctv.health() where item ~ '^engine';
-- An engine that is not needed any more is not missed; the newest figures count.
select cctv.ingest('[{"type": "engine", "engine": 1, "pid": 4713, "restarts": 2}, {"type": "engine", "engine": 1, "gone": true}]');
select item, ok, message from cctv.health() where item ~ '^engine';
select cctv.ingest('[{"type": "engine", "engine": 1, "gone": true}, {"type": "engine", "engine": 1, "pid": 4714, "restarts": 0}]');
select engine, pid from cctv.engine_status;

rollback;
