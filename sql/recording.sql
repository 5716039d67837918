-- Recordings: what is wanted of engines, and what they say they have written.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
set client_min_messages = warning;
begin;
-- Nothing else runs in this transaction.
update cctv.cameras set enabled = false where enabled;
delete from cctv.notifications;
insert into cctv.cameras (camera_id, name, url, detect_url, enabled, record, file_start) values
	(-1, 'lobby', 'rtsp://viewer:hunter2@192.0.2.1/main', 'rtsp://guest:sesame@192.0.2.9/sub', true, 'continuous', null),
	(-2, 'yard', 'rtsp://192.0.2.2/1', null, true, 'motion', null),
	(-3, 'gate', '/srv/video/gate.mp4', null, true, 'alerts', '2024-03-01 12:00:00Z');
insert into cctv.cameras (name, url, record) values ('bad', '/x', 'always');
insert into cctv.cameras (name, url, pre_roll) values ('bad', '/x', '61 s');
insert into cctv.cameras (name, url, post_roll) values ('bad', '/x', '-1 s');
insert into cctv.cameras (name, url, motion_retention) values ('bad', '/x', '1 s');
select count(*) from cctv.assign_engines(16);

-- What engines are told.
create view pg_temp.told as
select c ->> 'name' as camera, c ->> 'record' as record, c -> 'record_manual' as manual,
	c -> 'record_scheduled' as scheduled, c -> 'pre_roll' as pre_roll, c -> 'post_roll' as post_roll,
	c ->> 'record_alert_from' as alert_from, c ->> 'record_alert_until' as alert_until,
	c ->> 'username' as username, c ->> 'record_username' as record_username, c ->> 'record_password' as record_password
from cctv.camera_status as s, jsonb_array_elements(cctv.desired_state(s.engine) -> 'cameras') as c
where s.camera_id < 0 and s.camera_id = (c ->> 'camera_id')::integer
order by s.camera_id desc;
select * from pg_temp.told;

-- By hand.
select cctv.start_recording('yard');
select cctv.start_recording(-2);
select camera, record, manual from pg_temp.told;
select cctv.stop_recording('yard');
select camera, record, manual from pg_temp.told;
select cctv.start_recording('nowhere');

-- Schedules narrow the mode, and switch recording on where it is off.
create view pg_temp.wish as
select c.record, (cctv.recording_wish(c)).*
from cctv.cameras as c
where c.camera_id = -2;
savepoint schedules;
insert into cctv.schedules (camera_id, action, starts, ends, time_zone) values (-2, 'record', '00:00', '00:00', 'UTC');
select * from pg_temp.wish;
update cctv.cameras set record = 'continuous' where camera_id = -2;
select * from pg_temp.wish;
update cctv.cameras set record = 'off' where camera_id = -2;
select * from pg_temp.wish;
update cctv.schedules set last_day = '2020-01-01' where camera_id = -2;
select * from pg_temp.wish;
update cctv.cameras set record = 'continuous' where camera_id = -2;
select * from pg_temp.wish;
rollback to schedules;

-- A file is begun and completed.
create function pg_temp.line(camera integer, session text, seq integer, at timestamptz, body jsonb) returns jsonb
	language sql as $$
	select jsonb_build_object('type', 'recording', 'camera_id', camera, 'session', md5(session), 'seq', seq, 'at', at) || body
$$;
create function pg_temp.opened(path text, started_at timestamptz, reason text) returns jsonb
	language sql as $$
	select jsonb_build_object('action', 'opened', 'path', path, 'started_at', started_at, 'reason', reason,
		'codec', 'h264', 'width', 1920, 'height', 1080, 'has_audio', true)
$$;
create function pg_temp.closed(path text, started_at timestamptz, reason text, ended_at timestamptz) returns jsonb
	language sql as $$
	select pg_temp.opened(path, started_at, reason) || jsonb_build_object('action', 'closed', 'ended_at', ended_at,
		'frames', 1500, 'bytes', 12345678, 'sha256', encode(sha256(path::bytea), 'hex'))
$$;
create view pg_temp.r as
select c.name as camera, r.kind, r.state, r.path, r.reason, r.started_at, r.ended_at, r.frames, r.bytes, r.codec,
	r.width, r.height, r.has_audio, r.sha256 = sha256(r.path::bytea) as has_sha256
from cctv.recordings as r join cctv.cameras as c using (camera_id)
where r.camera_id < 0
order by r.recording_id;
create view pg_temp.n as
select n.kind, n.topic, c.name as camera, n.alert_id is not null as has_alert, n.message
from cctv.notifications as n left join cctv.cameras as c using (camera_id)
order by n.notification_id;
select cctv.ingest(jsonb_build_array(pg_temp.line(-1, 'a', 1, '2024-03-01 12:00:02Z',
	pg_temp.opened('-1/2024-03-01/120000.000Z-continuous.mp4', '2024-03-01 12:00:00Z', 'continuous')))) as announced;
select * from pg_temp.r;
select cctv.ingest(jsonb_build_array(pg_temp.line(-1, 'a', 2, '2024-03-01 12:01:00Z',
	pg_temp.closed('-1/2024-03-01/120000.000Z-continuous.mp4', '2024-03-01 12:00:00Z', 'alert', '2024-03-01 12:01:00Z')))) as announced;
select * from pg_temp.r;
-- The same again, late news of its beginning, and another's claim change nothing.
select cctv.ingest(jsonb_build_array(
	pg_temp.line(-1, 'a', 2, '2024-03-01 12:01:00Z',
		pg_temp.closed('-1/2024-03-01/120000.000Z-continuous.mp4', '2024-03-01 12:00:00Z', 'alert', '2024-03-01 12:01:00Z')),
	pg_temp.line(-1, 'a', 3, '2024-03-01 12:01:00Z',
		pg_temp.opened('-1/2024-03-01/120000.000Z-continuous.mp4', '2024-03-01 12:00:00Z', 'continuous')),
	pg_temp.line(-2, 'b', 1, '2024-03-01 12:01:00Z',
		pg_temp.closed('-1/2024-03-01/120000.000Z-continuous.mp4', '2024-03-01 12:00:00Z', 'motion', '2024-03-01 12:02:00Z')))) is not null as stored;
select camera, state, reason, ended_at, has_sha256 from pg_temp.r;
-- Begun and completed in one batch; completed without having been begun.
select cctv.ingest(jsonb_build_array(
	pg_temp.line(-1, 'a', 4, '2024-03-01 12:01:02Z',
		pg_temp.opened('-1/2024-03-01/120100.000Z-continuous.mp4', '2024-03-01 12:01:00Z', 'continuous')),
	pg_temp.line(-1, 'a', 5, '2024-03-01 12:02:00Z',
		pg_temp.closed('-1/2024-03-01/120100.000Z-continuous.mp4', '2024-03-01 12:01:00Z', 'continuous', '2024-03-01 12:02:00Z')),
	pg_temp.line(-2, 'b', 2, '2024-03-01 12:02:00Z',
		pg_temp.closed('-2/2024-03-01/120100.000Z-motion.mp4', '2024-03-01 12:01:00Z', 'motion', '2024-03-01 12:01:20Z')))) as announced;
select camera, state, path, frames from pg_temp.r;
-- Completed after its stream has ended.
select cctv.ingest(jsonb_build_array(pg_temp.line(-1, 'a', 6, '2024-03-01 12:02:02Z',
	pg_temp.opened('-1/2024-03-01/120200.000Z-continuous.mp4', '2024-03-01 12:02:00Z', 'continuous')))) as announced;
update cctv.cameras set enabled = false where camera_id = -1;
select count(*) from cctv.assign_engines(16);
select cctv.ingest(jsonb_build_array(pg_temp.line(-1, 'a', 7, '2024-03-01 12:02:30Z',
	pg_temp.closed('-1/2024-03-01/120200.000Z-continuous.mp4', '2024-03-01 12:02:00Z', 'continuous', '2024-03-01 12:02:30Z')))) as announced;
select camera, state, ended_at from pg_temp.r where path like '%/120200%';
-- Also when the camera has been removed.
savepoint removed;
select cctv.remove_camera(-2);
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:20Z',
	pg_temp.closed('-2/2024-03-01/120200.000Z-motion.mp4', '2024-03-01 12:02:00Z', 'motion', '2024-03-01 12:02:20Z')))) as announced;
select camera, state, path from pg_temp.r where camera = 'yard';
rollback to removed;
-- What a killed engine left is mended by the next, whether its beginning was told
-- or not; what was completed stays.
savepoint found;
select cctv.ingest(jsonb_build_array(
	pg_temp.line(-2, 'b', 3, '2024-03-01 12:03:00Z',
		pg_temp.opened('-2/2024-03-01/120300.000Z-motion.mp4', '2024-03-01 12:03:00Z', 'motion')),
	pg_temp.line(-2, 'b2', 1, '2024-03-01 12:05:00Z',
		pg_temp.closed('-2/2024-03-01/120300.000Z-motion.mp4', '2024-03-01 12:03:00Z', 'motion', '2024-03-01 12:03:10Z') || '{"action": "found"}'),
	pg_temp.line(-2, 'b2', 2, '2024-03-01 12:05:00Z',
		pg_temp.closed('-2/2024-03-01/120330.000Z-motion.mp4', '2024-03-01 12:03:30Z', 'motion', '2024-03-01 12:03:40Z') || '{"action": "found"}'),
	pg_temp.line(-2, 'b2', 3, '2024-03-01 12:05:00Z',
		pg_temp.closed('-2/2024-03-01/120100.000Z-motion.mp4', '2024-03-01 12:01:00Z', 'motion', '2024-03-01 12:01:05Z') || '{"action": "found"}'))) as announced;
select camera, state, path, ended_at, has_sha256 from pg_temp.r where camera = 'yard';
-- A file that was mended after its row had been completed is another.
select cctv.ingest(jsonb_build_array(
	pg_temp.line(-2, 'b2', 4, '2024-03-01 12:05:00Z',
		pg_temp.closed('-2/2024-03-01/120300.000Z-motion.mp4', '2024-03-01 12:03:00Z', 'motion', '2024-03-01 12:03:08Z')
			|| jsonb_build_object('action', 'found', 'sha256', repeat('ab', 32))))) as announced;
select state, ended_at, has_sha256 from pg_temp.r where path like '%/120300%';
rollback to found;
-- People hear of what is recorded always, not of motion.
select * from pg_temp.n;

-- Nonsense is refused.
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z', '{"action": "deleted"}')));
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z', '{"action": "opened"}')));
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z', pg_temp.opened('../secret.mp4', now(), 'motion'))));
do $$
declare
	hostile text;
begin
	foreach hostile in array array['', '/a', '..', 'a/..', 'a/../b', './a', 'a//b', 'a/', '.a', 'a/.b', e'a\nb', repeat('a', 128)] loop
		begin
			insert into cctv.recordings (camera_id, kind, state, path, started_at) values (-2, 'snapshot', 'open', hostile, now());
			raise warning 'stored: %', hostile;
		exception when check_violation then
		end;
	end loop;
end
$$;
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z', pg_temp.opened('-2/a.mp4', now(), 'boredom'))));
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z',
	pg_temp.closed('-2/a.mp4', '2024-03-01 12:02:00Z', 'motion', '2024-03-01 12:01:00Z'))));
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z',
	pg_temp.closed('-2/a.mp4', '2024-03-01 12:01:00Z', 'motion', '2024-03-01 12:02:00Z') || '{"sha256": "00ff"}')));
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 3, '2024-03-01 12:02:00Z',
	pg_temp.closed('-2/a.mp4', '2024-03-01 12:01:00Z', 'motion', '2024-03-01 12:02:00Z') || '{"bytes": -1}')));
select count(*) from pg_temp.r where path = '-2/a.mp4';

-- Failure: one alert and one notification, until it works again.
delete from cctv.notifications;
select cctv.ingest(jsonb_build_array(
	pg_temp.line(-2, 'b', 4, '2024-03-01 12:03:00Z', '{"action": "failed", "message": "could not write: No space left on device"}'),
	pg_temp.line(-2, 'b', 5, '2024-03-01 12:03:05Z', '{"action": "failed", "message": "could not write: No space left on device"}'))) as announced;
select alert_type, severity, description, at from cctv.alerts where camera_id = -2;
select item, ok, message from cctv.health() where item like 'recording%';
select cctv.ingest(jsonb_build_array(pg_temp.line(-2, 'b', 6, '2024-03-01 12:04:00Z',
	pg_temp.opened('-2/2024-03-01/120400.000Z-motion.mp4', '2024-03-01 12:04:00Z', 'motion')))) as announced;
select cctv.ingest(jsonb_build_array(
	pg_temp.line(-2, 'b', 7, '2024-03-01 12:05:00Z', '{"action": "failed", "message": "again"}'))) as announced;
select * from pg_temp.n;
select count(*) from cctv.alerts where camera_id = -2;

-- Around alerts: what is asked for follows the alerts.
insert into cctv.alert_rules (name, camera_id) values ('object', -3);
create function pg_temp.person(seq integer, at timestamptz, track integer) returns jsonb
	language sql as $$
	select jsonb_build_array(jsonb_build_object('type', 'objects', 'camera_id', -3, 'session', md5('c'), 'seq', seq, 'at', at,
		'objects', jsonb_build_array(jsonb_build_object('track', track, 'label', 'person', 'confidence', 0.9,
			'box', '[0.1,0.1,0.2,0.2]'::jsonb, 'stationary', false, 'model', 'objects'))))
$$;
select cctv.ingest(pg_temp.person(1, '2024-03-01 12:00:00Z', 1)) as announced;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
select cctv.ingest(pg_temp.person(2, '2024-03-01 12:00:12Z', 2)) as announced;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
-- The same object again raises nothing.
select cctv.ingest(pg_temp.person(3, '2024-03-01 12:00:20Z', 2)) as announced;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
select cctv.ingest(pg_temp.person(4, '2024-03-01 12:10:00Z', 3)) as announced;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
-- Not of a former run, nor in another mode.
savepoint modes;
update cctv.cameras set record = 'motion' where camera_id = -3;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
select cctv.ingest(pg_temp.person(5, '2024-03-01 12:20:00Z', 4)) as announced;
update cctv.cameras set record = 'alerts' where camera_id = -3;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
update cctv.cameras set run = run + 1 where camera_id = -3;
select alert_from, alert_until from pg_temp.told where camera = 'gate';
rollback to modes;

-- Pictures: of a track, then of its alert; a better one replaces it.
create function pg_temp.picture(seq integer, track integer, path text, bytes integer) returns jsonb
	language sql as $$
	select jsonb_build_array(jsonb_build_object('type', 'snapshot', 'camera_id', -3, 'session', md5('c'), 'seq', seq,
		'at', '2024-03-01 12:00:00Z', 'track', track, 'path', path, 'bytes', bytes, 'width', 640, 'height', 480,
		'sha256', encode(sha256(path::bytea), 'hex')))
$$;
select cctv.ingest(pg_temp.picture(5, 1, '-3/2024-03-01/120000.000-1.jpg', 1000));
select cctv.ingest(pg_temp.picture(6, 2, '-3/2024-03-01/120012.000-2.jpg', 2000));
-- Replaced in its place, and by another file.
select cctv.ingest(pg_temp.picture(7, 1, '-3/2024-03-01/120000.000-1.jpg', 1500));
select cctv.ingest(pg_temp.picture(8, 2, '-3/2024-03-01/120013.000-2.jpg', 2500));
-- Written anew after its stream has ended, and its camera was removed: the file
-- is another, once.
savepoint ended;
select cctv.end_sessions(array[md5('c')::uuid]);
select cctv.ingest(pg_temp.picture(9, 1, '-3/2024-03-01/120000.000-1.jpg', 1600));
select cctv.ingest(pg_temp.picture(8, 1, '-3/2024-03-01/120000.000-1.jpg', 1500));
select bytes from cctv.recordings where path = '-3/2024-03-01/120000.000-1.jpg';
select cctv.remove_camera(-3);
select cctv.ingest(pg_temp.picture(10, 1, '-3/2024-03-01/120000.000-1.jpg', 1700));
select bytes from cctv.recordings where path = '-3/2024-03-01/120000.000-1.jpg';
rollback to ended;
select r.path, r.bytes, r.codec, r.frames, t.engine_track as track, a.snapshot = r.path as is_of_its_alert, r.deletion_rank
from cctv.recordings as r
	join cctv.tracks as t using (track_id)
	join cctv.alerts as a on a.alert_id = r.alert_id
where r.camera_id = -3
order by r.recording_id;
select kind, path, bytes, why, removed_at from cctv.media_deletions where camera_id = -3;
-- Before its alert: a rule that waits.
update cctv.alert_rules set min_dwell = '5 s' where camera_id = -3;
select cctv.ingest(pg_temp.person(9, '2024-03-01 13:00:00Z', 9)) as announced;
select cctv.ingest(pg_temp.picture(10, 9, '-3/2024-03-01/130000.000-9.jpg', 900));
select alert_id, deletion_rank from cctv.recordings where path like '%-9.jpg';
select cctv.ingest(pg_temp.person(11, '2024-03-01 13:00:06Z', 9)) as announced;
select r.alert_id is not null as has_alert, r.deletion_rank, a.snapshot
from cctv.recordings as r left join cctv.alerts as a using (alert_id)
where r.path like '%-9.jpg';

rollback;
