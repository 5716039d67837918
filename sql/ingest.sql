-- Ingest: canned events become tracks, detections, alerts, states.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
begin;
insert into cctv.alert_rules (name) values ('object');

insert into cctv.cameras (camera_id, name, url, enabled, labels, min_confidence, file_start) values
	(-1, 'lobby', '/srv/video/lobby.mp4', true, '{person,car}', 0.5, '2026-03-01 12:00:00+00'),
	(-2, 'yard', '/srv/video/yard.mp4', true, null, 0.7, '2026-03-01 12:00:00+00');
-- Nothing else runs in this transaction.
update cctv.cameras set enabled = false where camera_id > 0;
select count(*) from cctv.assign_engines(16) where camera_id < 0;
select c.name, e.state, e.previous, e.message
from cctv.camera_events as e join cctv.cameras as c using (camera_id)
where camera_id < 0
order by event_id;

-- A stream begins.
select cctv.ingest('[
	{"type": "state", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 1,
		"at": "2026-03-01T12:00:00.000000Z", "state": "running", "message": null},
	{"type": "stats", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 2,
		"last_frame_at": "2026-03-01T12:00:00.4Z", "fps_in": 10, "fps_decoded": 10, "fps_analysed": 5,
		"inference_ms": 21.5, "frames": 4, "analysed": 2, "skipped": 0, "inferences": 2, "dropped_events": 0,
		"reconnects": 0, "width": 768, "height": 576, "codec": "h264",
		"received": 10, "decoding": "keyframes", "decoding_note": "", "keyframe_interval": 1.04, "full_s": 6, "keyframes_s": 18, "wakes": 2},
	{"type": "motion", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 3,
		"at": "2026-03-01T12:00:00.2Z", "active": true, "area": 0.02}]') as announced;
select camera, state, since > now() - interval '1 minute' as is_new, fps_in, fps_analysed, skipped, inference_ms,
	frame_age, reconnects, decoding, decoded, message
from cctv.status
where camera = 'lobby';
select frames, width, height, codec, motion, motion_at, quarantined, run, engine > 0 as has_engine
from cctv.v_camera_health
	join cctv.camera_status using (camera_id, frames, width, height, codec, motion, motion_at, quarantined, engine)
where camera_id = -1;

select idle_decode, decoding, decoding_note, keyframe_interval, full_seconds, keyframes_seconds, keyframes_share, wakes, wakes_per_hour, received, frames
from cctv.v_camera_health where camera_id = -1;

-- A person appears: a track, its detections, one alert.
\set events '[{"type": "objects", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 4, "at": "2026-03-01T12:00:01Z", "decoded_at": "2026-03-01T18:00:00Z", "inference_ms": 20.5, "objects": [{"track": 1, "label": "person", "confidence": 0.6, "box": [0.1, 0.2, 0.1, 0.3], "stationary": false, "model": "objects", "attributes": {}, "since": "2026-03-01T12:00:00.6Z", "snapshot": "lobby/1.jpg"}]}, {"type": "objects", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 5, "at": "2026-03-01T12:00:01.2Z", "decoded_at": "2026-03-01T18:00:00.2Z", "inference_ms": 20.5, "objects": [{"track": 1, "label": "person", "confidence": 0.9, "box": [0.12, 0.2, 0.1, 0.3], "stationary": false, "model": "objects", "attributes": {"pose": "upright"}}, {"track": 2, "label": "person", "confidence": 0.45, "box": [0.5, 0.5, 0.1, 0.2], "stationary": true, "model": "objects", "attributes": {}}]}]'
select cctv.ingest(:'events') as announced;
create view pg_temp.t as
select c.name as camera, t.engine_track as track, t.label, t.hits, t.first_seen, t.last_seen, t.ended_at,
	t.best_confidence as best, t.best_at, array[t.best_x, t.best_y, t.best_w, t.best_h] as box, t.snapshot
from cctv.tracks as t join cctv.cameras as c using (camera_id)
where t.camera_id < 0
order by t.camera_id desc, t.session, t.engine_track;
create view pg_temp.d as
select c.name as camera, t.engine_track as track, d.at, d.label, d.confidence, array[d.x, d.y, d.w, d.h] as box,
	d.stationary, d.attributes
from cctv.detections as d join cctv.tracks as t using (track_id, camera_id) join cctv.cameras as c using (camera_id)
where d.camera_id < 0
order by d.camera_id desc, d.at, t.engine_track;
create view pg_temp.a as
select c.name as camera, t.engine_track as track, a.alert_type, a.label, a.confidence, a.at, a.ended_at,
	array[a.x, a.y, a.w, a.h] as box, a.snapshot, a.decoded_at, a.inference_ms
from cctv.alerts as a join cctv.tracks as t using (track_id) join cctv.cameras as c on c.camera_id = a.camera_id
where a.camera_id < 0
order by a.camera_id desc, a.alert_id;
select * from pg_temp.t;
select * from pg_temp.d;
select * from pg_temp.a;

-- The same again changes nothing, in whatever mixture.
select cctv.ingest(:'events') as announced;
select cctv.ingest((:'events'::jsonb) || (:'events'::jsonb)) as announced;
select sum(hits) as hits from pg_temp.t;
select count(*) as detections from pg_temp.d;
select count(*) as alerts from pg_temp.a;
select last_seq, ended_at from cctv.sessions where camera_id = -1;

-- New and old in one batch, the new one twice: it counts once.  The second
-- track is now sure enough; the first one sees no second alert.
select cctv.ingest((:'events'::jsonb) || '[
	{"type": "objects", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 6,
		"at": "2026-03-01T12:00:01.4Z", "objects": [
		{"track": 1, "label": "person", "confidence": 0.7, "box": [0.14, 0.2, 0.1, 0.3], "stationary": false, "model": "objects"},
		{"track": 2, "label": "person", "confidence": 0.5, "box": [0.5, 0.5, 0.1, 0.2], "stationary": true, "model": "objects"}]},
	{"type": "objects", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 6,
		"at": "2026-03-01T12:00:01.4Z", "objects": [
		{"track": 1, "label": "person", "confidence": 0.7, "box": [0.14, 0.2, 0.1, 0.3], "stationary": false, "model": "objects"}]}]') as announced;
select track, hits, best, best_at, last_seen from pg_temp.t;
select track, label, confidence, at, box from pg_temp.a;

-- A picture that was written later; then the end.
select cctv.ingest('[
	{"type": "snapshot", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 7,
		"at": "2026-03-01T12:00:02Z", "track": 2, "path": "lobby/2.jpg", "bytes": 4711, "width": 768, "height": 576},
	{"type": "track_end", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 8,
		"at": "2026-03-01T12:00:04Z", "track": 1, "last_seen": "2026-03-01T12:00:02Z"}]') as announced;
select track, last_seen, ended_at, snapshot from pg_temp.t;
select track, ended_at, snapshot from pg_temp.a;

-- What another camera's labels let through, and the types of alerts.  A camera
-- with labels asks for no others; null asks for all.
select cctv.ingest(jsonb_build_array(jsonb_build_object(
	'type', 'objects', 'camera_id', c, 'session', s, 'seq', 100, 'at', '2026-03-01T12:01:00Z', 'objects', (
		select jsonb_agg(jsonb_build_object('track', 10 + n, 'label', l, 'confidence', 0.75, 'box', '[0,0,1,1]'::jsonb,
			'stationary', false, 'model', 'objects') order by n)
		from unnest('{person,bicycle,car,motorcycle,bus,truck,bird,cat,dog,face,suitcase}'::text[])
			with ordinality as x (l, n)))))
from (values (-1, '0a000000000000000000000000000001'), (-2, '0b000000000000000000000000000001')) as v (c, s);
select camera, label, alert_type from pg_temp.a where track > 10;

-- Payloads of notifications.
select regexp_replace(cctv.alert_payload(a, 'full'), '"alert_id":\d+', '"alert_id":N') as payload
from cctv.alerts as a
where camera_id = -1
order by alert_id
limit 2;
select regexp_replace(cctv.state_payload(e, 'full'), '"event_id":\d+|"at":"[^"]*"', 'N', 'g') as payload
from cctv.camera_events as e
where camera_id = -1
order by event_id;
select cctv.alert_payload(a, 'id')::jsonb = jsonb_build_object('alert_id', alert_id, 'camera_id', camera_id) as only_ids
from cctv.alerts as a
where camera_id = -1
limit 1;
select cctv.state_payload(e, 'id')::jsonb = jsonb_build_object('event_id', event_id, 'camera_id', camera_id) as only_ids
from cctv.camera_events as e
where camera_id = -1
limit 1;
-- The longest there can be.
savepoint longest;
update cctv.cameras set name = repeat('"', 128) where camera_id = -1;
update cctv.alerts set label = repeat('ü', 64), alert_type = repeat('"', 64), snapshot = repeat('"', 255)
where camera_id = -1;
update cctv.camera_events set message = repeat(e'\u0001', 1000) where camera_id = -1;
select max(octet_length(cctv.alert_payload(a, 'full'))) < 8000 as fits from cctv.alerts as a where camera_id = -1;
select max(octet_length(cctv.state_payload(e, 'full'))) < 8000 as fits from cctv.camera_events as e where camera_id = -1;
rollback to longest;

-- The stream is lost and comes back as another session: what was seen ends.
select count(*) filter (where ended_at is null) as open from pg_temp.t where camera = 'lobby';
select cctv.ingest('[
	{"type": "state", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 101,
		"at": "2026-03-01T12:02:00Z", "state": "reconnecting", "message": "no frame for 10 s"},
	{"type": "state", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 102,
		"at": "2026-03-01T12:02:01Z", "state": "reconnecting", "message": "connection refused"},
	{"type": "state", "camera_id": -1, "session": "0a000000000000000000000000000002", "seq": 1,
		"at": "2026-03-01T12:02:02Z", "state": "running"},
	{"type": "log", "camera_id": -1, "level": "info", "message": "hello"},
	{"type": "recording", "camera_id": -1, "session": "0a000000000000000000000000000002", "seq": 2,
		"at": "2026-03-01T12:02:02Z", "action": "opened", "path": "-1/2026-03-01/120202.000Z-motion.mp4",
		"started_at": "2026-03-01T12:02:00Z", "reason": "motion", "codec": "h264", "width": 768, "height": 576,
		"has_audio": false},
	{"type": "stats", "runtime": "onnxruntime 1.24.3"}]') as announced;
select count(*) filter (where ended_at is null) as open, bool_and(ended_at = last_seen) as ended from pg_temp.t
where camera = 'lobby';
select count(*) from pg_temp.a where camera = 'lobby' and ended_at is null;
select session, last_seq, ended_at is not null as ended from cctv.sessions where camera_id < 0 order by camera_id desc, session;
select state, previous, message from cctv.camera_events where camera_id = -1 order by event_id;
-- What still comes from the old session is too late.
select cctv.ingest('[
	{"type": "state", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 103,
		"at": "2026-03-01T12:02:03Z", "state": "error", "message": "late"},
	{"type": "objects", "camera_id": -1, "session": "0a000000000000000000000000000001", "seq": 104,
		"at": "2026-03-01T12:02:03Z", "objects": [
		{"track": 77, "label": "person", "confidence": 0.9, "box": [0, 0, 1, 1], "stationary": false, "model": "objects"}]}]') as announced;
select state from cctv.camera_status where camera_id = -1;
select count(*) from pg_temp.t where track = 77;

-- The same engine_track in another session is another track.
select cctv.ingest('[
	{"type": "objects", "camera_id": -1, "session": "0a000000000000000000000000000002", "seq": 3,
		"at": "2026-03-01T12:02:03Z", "objects": [
		{"track": 1, "label": "car", "confidence": 0.9, "box": [0, 0, 1, 1], "stationary": false, "model": "objects"}]}]') as announced;
select track, label, first_seen from pg_temp.t where camera = 'lobby' and track = 1;

-- Engines.
select cctv.ingest('[
	{"type": "engine", "engine": 99, "pid": 123, "rss": 1000, "cpu_ms": 10, "restarts": 0},
	{"type": "engine", "engine": 99, "pid": 123, "rss": 2000, "cpu_ms": 20, "restarts": 1, "message": "was killed"}]') as announced;
select pid, rss, cpu_ms, restarts, message from cctv.engine_status where engine = 99;

-- A file ends.  What an engine says of a camera that is stopped comes too late.
select cctv.ingest('[
	{"type": "state", "camera_id": -1, "session": "0a000000000000000000000000000002", "seq": 4,
		"at": "2026-03-01T12:03:00Z", "state": "finished"}]') as announced;
select state, finished_run = run as finished from cctv.camera_status where camera_id = -1;
update cctv.cameras set enabled = false where camera_id = -2;
select cctv.ingest('[
	{"type": "state", "camera_id": -2, "session": "0b000000000000000000000000000001", "seq": 101,
		"at": "2026-03-01T12:03:00Z", "state": "running"}]') as announced;
select state from cctv.camera_status where camera_id = -2;
-- Nor is there anything to say of a removed one.
select cctv.remove_camera(-2);
select cctv.ingest('[
	{"type": "objects", "camera_id": -2, "session": "0b000000000000000000000000000001", "seq": 102,
		"at": "2026-03-01T12:03:00Z", "objects": [
		{"track": 99, "label": "person", "confidence": 0.9, "box": [0, 0, 1, 1], "stationary": false, "model": "objects"}]}]') as announced;
select count(*) from pg_temp.t where track = 99;

-- Nothing.
select cctv.ingest('[]') as announced;

-- However a stream is cut into batches, the same rows come out.
create function pg_temp.stream(camera integer, session text) returns setof jsonb
	language sql as $$
	select jsonb_build_object('type', 'objects', 'camera_id', camera, 'session', session, 'seq', n,
		'at', to_char(timestamp '2026-03-02 23:59:50' + n * interval '0.2 s', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'objects', (
			select jsonb_agg(jsonb_build_object('track', t, 'label', (array['person', 'car', 'dog'])[1 + t % 3],
				'confidence', 0.3 + ((n * 7 + t * 13) % 60) / 100.0,
				'box', jsonb_build_array(t / 40.0, n / 400.0, 0.1, 0.2), 'stationary', n % 5 = 0, 'model', 'objects'))
			from generate_series(n / 20, n / 20 + 4) as t where t > 0))
	from generate_series(1, 200) as n
	union all
	select jsonb_build_object('type', 'track_end', 'camera_id', camera, 'session', session, 'seq', 200 + t,
		'at', '2026-03-03T00:00:40Z', 'track', t, 'last_seen', '2026-03-03T00:00:35Z')
	from generate_series(1, 10) as t
$$;
insert into cctv.cameras (camera_id, name, url, labels, file_start)
	select -10 - n, 'cut ' || n, '/srv/video/cut.mp4', '{person,car}', '2026-03-02 23:59:50+00'
	from generate_series(1, 4) as n;
do $$
declare
	batch jsonb;
	size integer;
	camera integer;
begin
	foreach camera in array '{-11,-12,-13,-14}'::integer[] loop
		size := (array[1, 7, 50, 1000])[-10 - camera];
		for batch in
			select jsonb_agg(line order by (line ->> 'seq')::integer)
			from pg_temp.stream(camera, md5(camera::text)) as line
			group by ((line ->> 'seq')::integer - 1) / size
			order by ((line ->> 'seq')::integer - 1) / size
		loop
			perform cctv.ingest(batch, notify => false);
		end loop;
	end loop;
end
$$;
select count(distinct sum) as kinds, min(n) as rows
from (
	select camera_id, count(*) as n, md5(string_agg(concat_ws(' ', engine_track, label, model, first_seen, last_seen, ended_at, hits,
		best_confidence, best_at, best_x, best_y), ',' order by engine_track)) as sum
	from cctv.tracks where camera_id between -14 and -11 group by camera_id) as t;
select count(distinct sum) as kinds, min(n) as rows
from (
	select d.camera_id, count(*) as n, md5(string_agg(concat_ws(' ', at, engine_track, d.label, confidence, x, y, w, h, stationary), ',' order by at, engine_track)) as sum
	from cctv.detections as d join cctv.tracks using (track_id)
	where d.camera_id between -14 and -11 group by d.camera_id) as t;
select count(distinct sum) as kinds, min(n) as rows
from (
	select a.camera_id, count(*) as n, md5(string_agg(concat_ws(' ', at, engine_track, a.label, alert_type, confidence, x, y, a.ended_at), ',' order by engine_track)) as sum
	from cctv.alerts as a join cctv.tracks using (track_id)
	where a.camera_id between -14 and -11 group by a.camera_id) as t;
-- Midnight falls into it.
select day from cctv.partitions() where day between '2026-03-01' and '2026-03-03';

rollback;
