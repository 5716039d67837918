-- Hostile events: each raises an error of class 22 or 23 and leaves nothing.
\set SHOW_CONTEXT never
set timezone = 'UTC';
begin;

insert into cctv.cameras (camera_id, name, url, enabled, file_start) values
	(-1, 'live', 'rtsp://192.0.2.7/', true, null),
	(-2, 'file', '/srv/video/a.mp4', true, '2026-03-01 12:00:00+00'),
	(-3, 'future', '/srv/video/b.mp4', true, '2090-01-01 12:00:00+00');
insert into cctv.camera_status (camera_id, state) values (-1, 'running'), (-2, 'running'), (-3, 'running');

-- A good line about the file, with changes; each line has a session of its own.
create sequence pg_temp.session;
create function pg_temp.line(change jsonb) returns jsonb
	language sql as $$
	select jsonb_strip_nulls(jsonb_build_object('type', 'objects', 'camera_id', -2,
		'session', lpad(to_hex(nextval('pg_temp.session')), 32, '0'), 'seq', 1, 'at', '2026-03-01T12:00:01Z',
		'objects', '[]'::jsonb) || change)
$$;
create function pg_temp.object(change jsonb) returns jsonb
	language sql as $$
	select pg_temp.line(jsonb_build_object('objects', jsonb_build_array(jsonb_strip_nulls(
		'{"track": 1, "label": "person", "confidence": 0.9, "box": [0.1, 0.1, 0.2, 0.2], "stationary": false, "model": "objects"}'::jsonb
		|| change))))
$$;
-- What becomes of a batch: its error, and that of its class.
create function pg_temp.outcome(events jsonb) returns text
	language plpgsql as $$
begin
	perform cctv.ingest(events);
	return 'stored';
exception when others then
	return case when sqlstate ~ '^2[23]' then left(sqlstate, 2) else 'WRONG CLASS ' || sqlstate end || ': ' || left(sqlerrm, 100);
end
$$;

-- The batch itself.
select pg_temp.outcome(null);
select pg_temp.outcome('{}');
select pg_temp.outcome('"x"');
select pg_temp.outcome('[1]');
select pg_temp.outcome('["x"]');
select pg_temp.outcome('[null]');
select pg_temp.outcome('[[]]');
select pg_temp.outcome('[{}]');

-- Heads of lines.
\pset format unaligned
select left(change::text, 40) as change, pg_temp.outcome(jsonb_build_array(pg_temp.line(change)))
from (values (1, '{}'::jsonb), (2, '{"type": null}'), (3, '{"type": "explosion"}'), (4, '{"type": 7}'), (5, '{"camera_id": null}'),
	(6, '{"camera_id": "x"}'), (7, '{"camera_id": 1.5}'), (8, '{"camera_id": 99999999999}'), (9, '{"camera_id": -99}'),
	(10, '{"session": null}'), (11, '{"session": "xyz"}'), (12, '{"session": ""}'), (13, '{"seq": null}'), (14, '{"seq": "x"}'),
	(15, '{"seq": 0}'), (16, '{"seq": -5}'), (17, '{"seq": 9223372036854775807}'), (18, '{"seq": 1e400}'), (19, '{"at": null}'),
	(20, '{"at": "yesterday-ish"}'), (21, '{"at": "infinity"}'), (22, '{"at": "-infinity"}'), (23, '{"at": "0001-01-01T00:00:00Z"}'),
	(24, '{"at": "2300-01-01T00:00:00Z"}'), (25, '{"at": "2091-03-01T00:00:00Z", "camera_id": -3}'), (26, '{"objects": null}'), (27, '{"objects": {}}'),
	(28, '{"objects": "x"}'), (29, '{"objects": [1]}'), (30, '{"objects": [{}]}'), (31, '{"decoded_at": "x", "objects": [{}]}'),
	(32, '{"type": "track_end"}'), (33, '{"type": "track_end", "track": "x"}'), (34, '{"type": "track_end", "at": null}'),
	(35, '{"type": "state"}'), (36, '{"type": "state", "state": "exploded"}'), (37, '{"type": "state", "state": "running", "seq": null}'),
	(38, '{"type": "stats", "fps_in": -1}'), (39, '{"type": "stats", "fps_in": "NaN"}'), (40, '{"type": "stats", "frames": -1}'),
	(41, '{"type": "stats", "width": 0}'), (42, '{"type": "stats", "codec": "h\n264"}'), (43, '{"type": "stats", "session": null}'),
	(44, '{"type": "stats", "last_frame_at": "x"}'), (45, '{"type": "motion", "active": "perhaps"}'), (46, '{"type": "motion", "at": null}'),
	(47, '{"type": "engine"}'), (48, '{"type": "engine", "engine": 0}'), (49, '{"type": "engine", "engine": 1, "pid": 0}'),
	(50, '{"type": "snapshot", "track": "x"}'), (51, '{"type": "stats", "decoding": "none"}'), (52, '{"type": "stats", "wakes": -1}'),
	(53, '{"type": "stats", "keyframe_interval": "NaN"}'), (54, '{"type": "stats", "full_s": 1e300}')
	) as v (n, change)
order by n;
-- Live streams have no future, and files only so much.
select pg_temp.outcome(jsonb_build_array(pg_temp.line(jsonb_build_object('camera_id', -1, 'at', now() + interval '2 days'))));
select pg_temp.outcome(jsonb_build_array(pg_temp.line(jsonb_build_object('camera_id', -1, 'at', now()))));
select pg_temp.outcome(jsonb_build_array(pg_temp.line('{"camera_id": -3, "at": "2091-01-01T00:00:00Z"}')));

-- Objects.
select left(change::text, 40) as change, pg_temp.outcome(jsonb_build_array(pg_temp.object(change)))
from (values (1, '{}'::jsonb), (2, '{"track": null}'), (3, '{"track": 0}'), (4, '{"track": "x"}'), (5, '{"label": null}'), (6, '{"label": ""}'),
	(7, '{"confidence": null}'), (8, '{"confidence": 1.5}'), (9, '{"confidence": -0.1}'), (10, '{"confidence": "NaN"}'),
	(11, '{"confidence": 1e400}'), (12, '{"box": null}'), (13, '{"box": []}'), (14, '{"box": [0.1, 0.1, 0.2]}'), (15, '{"box": "x"}'),
	(16, '{"box": [-0.1, 0, 0.5, 0.5]}'), (17, '{"box": [0, 0, 0, 0.5]}'), (18, '{"box": [0.9, 0, 0.2, 0.5]}'),
	(19, '{"box": [0, 0.9, 0.2, 0.2]}'), (20, '{"box": ["NaN", 0, 0.2, 0.2]}'), (21, '{"stationary": null}'), (22, '{"stationary": "x"}'),
	(23, '{"model": null}'), (24, '{"attributes": []}'), (25, '{"attributes": "x"}'), (26, '{"since": "x"}'),
	(27, '{"since": "2030-01-01T00:00:00Z"}'), (28, '{"snapshot": "/etc/passwd"}'), (29, '{"snapshot": "a/../../b"}'),
	(30, '{"snapshot": ""}')
	) as v (n, change)
order by n;
select pg_temp.outcome(jsonb_build_array(pg_temp.object(jsonb_build_object('label', repeat('x', 65)))));
select pg_temp.outcome(jsonb_build_array(pg_temp.object(jsonb_build_object('label', e'two\nlines'))));
select pg_temp.outcome(jsonb_build_array(pg_temp.object(jsonb_build_object('model', repeat('x', 65)))));
select pg_temp.outcome(jsonb_build_array(pg_temp.object(jsonb_build_object('snapshot', repeat('x', 256)))));
select pg_temp.outcome(jsonb_build_array(pg_temp.object(jsonb_build_object('attributes',
	jsonb_build_object('x', repeat('x', 5000))))));
-- One object twice in a frame.
select pg_temp.outcome(jsonb_build_array(jsonb_set(o, '{objects}', (o -> 'objects') || (o -> 'objects'))))
from pg_temp.object('{}') as o;
-- A first sight long ago is not believed.
select pg_temp.outcome(jsonb_build_array(pg_temp.object('{"track": 4711, "since": "2001-01-01T00:00:00Z"}')));
select first_seen from cctv.tracks where engine_track = 4711 and camera_id = -2;

-- Another camera's session, stored or in the same batch.
select pg_temp.outcome(jsonb_build_array(pg_temp.line('{"session": "00000000000000000000000000000abc"}')));
select pg_temp.outcome(jsonb_build_array(pg_temp.line('{"camera_id": -3, "session": "00000000000000000000000000000abc", "seq": 2, "at": "2090-01-01T12:00:01Z"}')));
select pg_temp.outcome(jsonb_build_array(pg_temp.line('{"session": "00000000000000000000000000000def"}'),
	pg_temp.line('{"camera_id": -3, "session": "00000000000000000000000000000def", "seq": 2, "at": "2090-01-01T12:00:01Z"}')));

-- One bad line spoils its batch and leaves nothing behind; the good one goes
-- through alone.
select pg_temp.outcome(jsonb_build_array(
	pg_temp.object('{"track": 815}') || '{"session": "00000000000000000000000000000fff"}', pg_temp.object('{"confidence": 7}')));
select count(*) from cctv.tracks where engine_track = 815 and camera_id = -2;
select pg_temp.outcome(jsonb_build_array(
	pg_temp.object('{"track": 815}') || '{"session": "00000000000000000000000000000fff"}'));
select count(*) from cctv.tracks where engine_track = 815 and camera_id = -2;

-- Days without end: a batch makes only so many partitions.
select pg_temp.outcome(jsonb_agg(pg_temp.line(jsonb_build_object('camera_id', -3,
	'at', timestamptz '2090-01-01' + n * interval '1 day'))))
from generate_series(1, 20) as n;
select count(*) from cctv.partitions() where day between '2090-01-02' and '2090-12-31';
select pg_temp.outcome(jsonb_agg(pg_temp.line(jsonb_build_object('camera_id', -3,
	'at', timestamptz '2090-01-01' + n * interval '1 day'))))
from generate_series(1, 3) as n;
select day from cctv.partitions() where day between '2090-01-02' and '2090-12-31';
-- None of days before the footage began or, live, of days long gone.
select pg_temp.outcome(jsonb_build_array(pg_temp.line('{"at": "2001-01-01T00:00:00Z"}')));
select pg_temp.outcome(jsonb_build_array(pg_temp.line(jsonb_build_object('camera_id', -1, 'at', now() - interval '8 days'))));
select pg_temp.outcome(jsonb_build_array(pg_temp.line(jsonb_build_object('camera_id', -1, 'at', now() - interval '6 days'))));

rollback;
