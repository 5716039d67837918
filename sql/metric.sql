-- Metrics: the text format of Prometheus.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
begin;
select cctv.metric_label('a', E'back\\slash "quote"\nline'), cctv.metric_label('a', null);
select v, cctv.metric_value(v) from unnest('{0,1,0.1,1e20,1795165654.340402,infinity,-infinity,nan}'::double precision[]) as v;
set local extra_float_digits = -15;
select cctv.metric_value(1795165654.340402);
reset extra_float_digits;

-- Names and types that Prometheus takes, each once; counters end in _total.
select metric from cctv.metric_families() where metric !~ '^cctv_[a-z_]+$' or type not in ('gauge', 'counter') or help ~ E'[\\\\\n]' or help = '';
select metric from cctv.metric_families() group by metric having count(*) > 1;
select metric from cctv.metric_families() where (type = 'counter') <> (metric like '%\_total');

-- Only what is told of the cameras made here, whatever else there is.
create function pg_temp.lines(pattern text) returns setof text language sql volatile as $$
	select line from regexp_split_to_table(cctv.metrics(), E'\n') as line where line ~ pattern and line ~ 'camera_id="-|^#'
$$;
insert into cctv.cameras (camera_id, name, url, location) values
	(-1, E'the "front\\door"', '/srv/video/1.mp4', 'ground floor'), (-2, 'yard', '/srv/video/2.mp4', null);
insert into cctv.camera_status (camera_id, state, since, fps_in, fps_analysed, frames, skipped, inference_ms, reconnects, dropped_events, last_frame_at)
	values (-1, 'running', '2026-03-01 12:00+00', 15, 4.99, 150, 3, 20.5, 2, 1, '2026-03-01 12:00:10.25+00');
select * from pg_temp.lines('camera="the') as l (line) where line !~ '_state|motion|quarantined|failing';
select * from pg_temp.lines('^cctv_camera_state\{camera_id="-1".* 1$');
select * from pg_temp.lines('camera="yard".*[ ]1$|camera_up.*yard');
-- Enabled: it runs, or it is down.
set constraints all immediate;
update cctv.cameras set enabled = true where camera_id < 0;
select * from pg_temp.lines('^cctv_camera_up');
insert into cctv.schedules (camera_id, action, starts, ends, last_day) values (-2, 'run', '08:00', '09:00', '2020-01-01');
select * from pg_temp.lines('^cctv_camera_up');

-- Bytes are counted when a recording has ended, once, and stay counted.
create function pg_temp.say(action text, path text, seq integer) returns bigint language sql as $$
	select cctv.ingest(jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('type', 'recording', 'camera_id', -1, 'session', md5('m'), 'seq', seq,
		'at', '2024-03-01 12:00+00', 'action', action, 'path', path, 'started_at', '2024-03-01 12:00+00', 'reason', 'motion', 'codec', 'h264',
		'width', 640, 'height', 360, 'has_audio', false) || case when action = 'closed' then
		jsonb_build_object('ended_at', '2024-03-01 12:01+00', 'frames', 900, 'bytes', 1000, 'sha256', repeat('ab', 32)) else '{}' end)), false)
$$;
select * from pg_temp.lines('recorded_bytes');
select pg_temp.say('opened', 'm1/a.mp4', 1);
select * from pg_temp.lines('^cctv_camera_recorded_bytes');
select pg_temp.say('closed', 'm1/a.mp4', 2), pg_temp.say('closed', 'm1/a.mp4', 2), pg_temp.say('closed', 'm1/a.mp4', 3), pg_temp.say('closed', 'm1/b.mp4', 4);
select * from pg_temp.lines('^cctv_camera_recorded_bytes.*"-1"');
delete from cctv.recordings where camera_id = -1;
select * from pg_temp.lines('^cctv_camera_recorded_bytes.*"-1"');

-- Every sample is of a family, and comes below its header.
select count(*) > 10 as several, count(*) filter (where f.metric is null) as unknown
from (select * from cctv.system_samples() union all select * from cctv.camera_samples()) as s left join cctv.metric_families() as f using (metric);
with line as (
	select n, text as line, substring(text from '^(?:# (?:HELP|TYPE) )?([a-z_]+)') as metric
	from regexp_split_to_table(cctv.metrics(), E'\n') with ordinality as l (text, n)
	where text <> ''
)
select metric, count(*) filter (where line ~ '^# HELP '), count(*) filter (where line ~ '^# TYPE '), min(n) filter (where line !~ '^#') = min(n) + 2 as headed,
	max(n) - min(n) + 1 = count(*) as together
from line
group by metric
having count(*) filter (where line ~ '^# HELP ') <> 1 or count(*) filter (where line ~ '^# TYPE ') <> 1 or max(n) - min(n) + 1 <> count(*) or min(n) filter (where line !~ '^#') is distinct from min(n) + 2;
select right(cctv.metrics(), 1) = E'\n' as ends_with_newline;
select (select count(*) from regexp_matches(cctv.metrics(), '^cctv_ingest_events_total \d+$', 'gn')) = count(cctv.worker_pid()) as worker_tells from (values (1)) as one;
-- Without a worker its figures are absent.
select count(stored) = count(cctv.worker_pid()) as as_the_worker_does from cctv.ingest_status();
rollback;
