-- Cameras: adding, changing, removing; what is refused, and how it is said.
-- Everything here is rolled back, so that a worker of this database sees none
-- of it.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
begin;

-- Add.
select cctv.add_camera('lobby', 'rtsp://192.0.2.7/stream1') as lobby
\gset
select name, location, url, detect_url, enabled, detect, detect_fps, models, labels, min_confidence,
	motion_threshold, motion_min_area, snapshots, rtsp_transport, realtime, loop, file_start, run, time_zone,
	retention, owner = current_user::regrole as is_owner, created_at = updated_at as is_new, removed_at, purge
from cctv.cameras
where camera_id = :lobby
\gx
select cctv.add_camera('yard', '/srv/video/yard.mp4', location => 'Yard, north', detect_fps => 2.5,
	labels => null, min_confidence => 0.6, realtime => false, loop => true, file_start => '2026-01-01 00:00:00+00',
	time_zone => 'Europe/Berlin', retention => null, rtsp_transport => 'udp', snapshots => false) as yard
\gset
select location, detect_fps, labels, min_confidence, realtime, loop, file_start, time_zone, retention,
	rtsp_transport, snapshots, enabled, run
from cctv.cameras
where camera_id = :yard
\gx
-- A function and a table say the same of defaults.
with defaults as (
	insert into cctv.cameras (name, url) values ('defaults', 'rtsp://192.0.2.7/stream1') returning *
)
select to_jsonb(d) - '{camera_id,name,created_at,updated_at}'::text[]
	= to_jsonb(c) - '{camera_id,name,created_at,updated_at}'::text[] as same
from defaults as d, cctv.cameras as c
where c.camera_id = :lobby;

-- Names.
\set VERBOSITY terse
select cctv.add_camera('lobby', 'rtsp://192.0.2.8/');
select cctv.add_camera('', 'rtsp://192.0.2.8/');
select cctv.add_camera(' lobby', 'rtsp://192.0.2.8/');
select cctv.add_camera(repeat('n', 129), 'rtsp://192.0.2.8/');
select cctv.add_camera(e'two\nlines', 'rtsp://192.0.2.8/');
select cctv.add_camera(null, 'rtsp://192.0.2.8/');
select cctv.add_camera('Überwachung 1 "süd"', 'rtsp://192.0.2.8/') > 0 as added;

-- Settings out of bounds.
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', detect_fps => 0);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', detect_fps => 61);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', detect_fps => 'NaN');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', min_confidence => 1.1);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', min_confidence => -0.1);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', motion_threshold => 0);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', motion_threshold => 256);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', motion_min_area => 2);
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', rtsp_transport => 'http');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', retention => '5 hours');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', file_start => '1960-01-01');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', file_start => 'infinity');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', time_zone => 'Mars/Olympus');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', location => repeat('l', 257));
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', models => '{}');
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', labels => '{}');
\set VERBOSITY default
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', models => '{objects,weather}');
update cctv.cameras set detect_fps = 1000 where name = 'lobby';
update cctv.cameras set detect = null where name = 'lobby';
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', labels => '{person,unicorn}');
\set VERBOSITY terse
select cctv.add_camera('bad', 'rtsp://192.0.2.8/', labels => array[null]);
insert into cctv.cameras (name, url, labels) values ('bad', 'rtsp://192.0.2.8/', array[repeat('l', 65)]);
insert into cctv.cameras (name, url, run) values ('bad', 'rtsp://192.0.2.8/', -1);
insert into cctv.cameras (name, url, purge) values ('bad', 'rtsp://192.0.2.8/', true);
\set VERBOSITY default
update cctv.cameras set labels = '{person,unicorn}' where name = 'lobby';
update cctv.cameras set models = '{weather}' where name = 'lobby';
update cctv.cameras set camera_id = 12345678 where name = 'lobby';

\set VERBOSITY default

-- Unknown cameras.
select cctv.camera_id('attic');
select cctv.camera_id(-1);
select cctv.camera_id('lobby') = :lobby as by_name, cctv.camera_id(:lobby) = :lobby as by_id;
select cctv.remove_camera('attic');
select cctv.remove_camera(-1);

-- The run counter: each time it is enabled.
update cctv.cameras set enabled = true where name = 'lobby';
select run from cctv.cameras where name = 'lobby';
update cctv.cameras set enabled = true, detect_fps = 4 where name = 'lobby';
select run from cctv.cameras where name = 'lobby';
update cctv.cameras set enabled = false where name = 'lobby';
update cctv.cameras set enabled = true where name = 'lobby';
select run, updated_at > created_at as updated from cctv.cameras where name = 'lobby';
insert into cctv.cameras (name, url, enabled) values ('started', 'rtsp://192.0.2.9/', true) returning run;
insert into cctv.cameras (name, url, enabled, run) values ('restored', 'rtsp://192.0.2.9/', true, 7) returning run;

-- Models in use stay.
insert into cctv.models (name, kind, file, input_width, input_height, labels)
values ('fires', 'efficientdet', 'mine/fire.onnx', 320, 320, '{fire,smoke}');
update cctv.cameras set models = '{objects,fires}', labels = '{person,fire}' where name = 'lobby';
delete from cctv.models where name = 'fires';
update cctv.models set name = 'flames' where name = 'fires';
update cctv.models set min_confidence = 0.4 where name = 'fires';
update cctv.cameras set models = '{objects}', labels = '{person}' where name = 'lobby';
delete from cctv.models where name = 'fires';
\set VERBOSITY terse
insert into cctv.models (name, kind, file, input_width, input_height, labels) values ('Bad', 'x', 'y', 64, 64, '{a}');
insert into cctv.models (name, kind, file, input_width, input_height, labels) values ('bad', 'x', '../y', 64, 64, '{a}');
insert into cctv.models (name, kind, file, input_width, input_height, labels) values ('bad', 'x', '/y', 64, 64, '{a}');
insert into cctv.models (name, kind, file, input_width, input_height, labels) values ('bad', 'x', 'y', 8, 64, '{a}');
insert into cctv.models (name, kind, file, input_width, input_height, labels) values ('bad', 'x', 'y', 64, 64, '{}');
insert into cctv.models (name, kind, file, input_width, input_height, labels, options)
values ('bad', 'x', 'y', 64, 64, '{a}', '[]');
insert into cctv.models (name, kind, file, input_width, input_height, labels, runtime)
values ('bad', 'x', 'y', 64, 64, '{a}', 'python');

-- Remove: the name is free again, the history stays, the credentials go.
update cctv.cameras set url = 'rtsp://viewer:secret@192.0.2.7/stream1' where name = 'lobby';
select count(*) from cctv.camera_secrets where camera_id = :lobby;
select cctv.remove_camera('lobby');
select name, enabled, removed_at is not null as removed, purge from cctv.cameras where camera_id = :lobby;
select count(*) from cctv.camera_secrets where camera_id = :lobby;
select cctv.camera_id('lobby');
select camera from cctv.status where camera in ('lobby', 'yard');
select cctv.add_camera('lobby', 'rtsp://192.0.2.10/') <> :lobby as another;
update cctv.cameras set enabled = true where camera_id = :lobby;
select enabled from cctv.cameras where camera_id = :lobby;
select cctv.remove_camera(:lobby, keep_history => false);
select purge from cctv.cameras where camera_id = :lobby;
-- A camera without history is forgotten at once by maintenance.
select cctv.maintain();
select count(*) from cctv.cameras where camera_id = :lobby;

rollback;
