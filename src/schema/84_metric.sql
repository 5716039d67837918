-- Metrics for Prometheus: the text format, version 0.0.4.
--
-- Read with the rights of the caller: whoever may see three cameras gets the
-- figures of three.  A counter begins again at 0 where what it counts does: with
-- the stream, the worker or the engine; rate() and increase() expect that.

create function cctv.metric_label(name text, value text) returns text
	language sql immutable parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
	select name || '="' || replace(replace(replace(coalesce(value, ''), '\', '\\'), '"', '\"'), E'\n', '\n') || '"'
$$;
comment on function cctv.metric_label(text, text) is 'A label of a metric, its value escaped';

create function cctv.metric_value(value double precision) returns text
	language sql immutable parallel safe
	set search_path = pg_catalog, pg_temp
	set extra_float_digits = 1
	as $$
	select case value
		when 'infinity' then '+Inf'
		when '-infinity' then '-Inf'
		else value::text
	end
$$;
comment on function cctv.metric_value(double precision) is 'A number as Prometheus reads it';

-- What each metric is.  Of one that is not listed here nothing is told.
create function cctv.metric_families(out n bigint, out metric text, out type text, out help text) returns setof record
	language sql immutable parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
	select row_number() over (), f.*
	from (values
		('cctv_info', 'gauge', 'Version of the extension and of the loaded library; always 1'),
		('cctv_worker_up', 'gauge', 'Whether the background worker of this database runs'),
		('cctv_cameras', 'gauge', 'Cameras by state'),
		('cctv_cameras_enabled', 'gauge', 'Cameras that are enabled'),
		('cctv_camera_up', 'gauge', 'Whether the camera does what it should: 1 if it runs or its file was played to the end, 0 if it is enabled and does not, absent if it is not enabled or outside of its schedule'),
		('cctv_camera_state', 'gauge', 'State of the camera: 1 for the one it is in'),
		('cctv_camera_state_since_timestamp_seconds', 'gauge', 'When the camera came into its state'),
		('cctv_camera_frames_per_second', 'gauge', 'Frames received, decoded and analysed a second, over the last two seconds'),
		('cctv_camera_received_frames_total', 'counter', 'Frames received since the stream began'),
		('cctv_camera_frames_total', 'counter', 'Frames decoded since the stream began'),
		('cctv_camera_analysed_frames_total', 'counter', 'Frames analysed since the stream began'),
		('cctv_camera_skipped_frames_total', 'counter', 'Frames due for analysis but passed over since the stream began: detection does not keep up'),
		('cctv_camera_inferences_total', 'counter', 'Runs of a model since the stream began'),
		('cctv_camera_inference_seconds', 'gauge', 'Mean time of the newest inferences'),
		('cctv_camera_last_frame_timestamp_seconds', 'gauge', 'Time of the newest frame'),
		('cctv_camera_reconnects_total', 'counter', 'Reconnects since the camera was started'),
		('cctv_camera_dropped_events_total', 'counter', 'Events lost to a full queue since the stream began: the database does not keep up'),
		('cctv_camera_decoding_seconds_total', 'counter', 'Time since the stream began, by what was decoded: every frame (full), or only keyframes while nothing happened'),
		('cctv_camera_wakes_total', 'counter', 'How often something in a keyframe had every frame decoded since the stream began'),
		('cctv_camera_keyframe_interval_seconds', 'gauge', 'Time from one keyframe of the stream to the next'),
		('cctv_camera_motion', 'gauge', 'Whether there is motion'),
		('cctv_camera_quarantined', 'gauge', 'Whether the camera crashed engines and so has one of its own'),
		('cctv_camera_recorded_bytes_total', 'counter', 'Bytes of recordings that were written to their end'),
		('cctv_camera_recording_failing', 'gauge', 'Whether what should be recorded cannot be written'),
		('cctv_camera_publishing', 'gauge', 'Whether the camera is published as it should be; absent if it should not'),
		('cctv_camera_publish_frames_per_second', 'gauge', 'Frames published a second, over the last two seconds'),
		('cctv_camera_publish_dropped_frames_total', 'counter', 'Frames that were not published because the server or the encoder was too slow, since that was configured'),
		('cctv_camera_publish_reconnects_total', 'counter', 'Further attempts to connect to the server to publish to, since that was configured'),
		('cctv_alerts_total', 'counter', 'Alerts raised'),
		('cctv_engine_up', 'gauge', 'Whether the engine process runs'),
		('cctv_engine_cameras', 'gauge', 'Cameras that the engine serves'),
		('cctv_engine_resident_memory_bytes', 'gauge', 'Resident memory of the engine'),
		('cctv_engine_cpu_seconds_total', 'counter', 'Processor time of the engine since its process started'),
		('cctv_engine_restarts_total', 'counter', 'Restarts of the engine since the worker started'),
		('cctv_engine_queued_events', 'gauge', 'Events that wait in the engine for the worker'),
		('cctv_engine_waiting_cameras', 'gauge', 'Cameras that wait for a detector thread'),
		('cctv_engine_refused_lines_total', 'counter', 'Lines of the engine that the worker refused since the worker started'),
		('cctv_ingest_events_total', 'counter', 'Events stored since the worker started'),
		('cctv_ingest_dropped_events_total', 'counter', 'Events that the database refused since the worker started'),
		('cctv_ingest_batches_total', 'counter', 'Transactions that stored events since the worker started'),
		('cctv_ingest_retries_total', 'counter', 'Attempts to store events that failed since the worker started'),
		('cctv_ingest_queued_events', 'gauge', 'Events that wait to be stored'),
		('cctv_ingest_queued_bytes', 'gauge', 'Bytes of the events that wait to be stored'),
		('cctv_notify_queue_ratio', 'gauge', 'How full the server''s queue of notifications is; a session that listens and never reads fills it'),
		('cctv_events_total', 'counter', 'Alerts and changes of state that were given a number'),
		('cctv_consumer_lag_events', 'gauge', 'Events behind which a consumer is'),
		('cctv_media_bytes', 'gauge', 'Bytes of recordings and pictures that are kept'),
		('cctv_media_files', 'gauge', 'Recordings and pictures that are kept'),
		('cctv_media_free_bytes', 'gauge', 'Free bytes of the file system of the media directory'),
		('cctv_media_size_bytes', 'gauge', 'Size of the file system of the media directory')
	) as f (metric, type, help)
$$;
comment on function cctv.metric_families() is 'Metrics that cctv.metrics() knows, with their types and what they mean';

-- Labels as they stand between the braces.
create type cctv.sample as (
	metric text,
	labels text,
	value double precision
);
comment on type cctv.sample is 'A value of a metric, for cctv.metrics()';
comment on column cctv.sample.metric is 'Name of the metric';
comment on column cctv.sample.labels is 'Its labels, escaped; null: none';
comment on column cctv.sample.value is 'Value; null: there is none';

create function cctv.camera_samples() returns setof cctv.sample
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	with camera as materialized (
		select v.*, s.recorded_bytes, r.failed_at,
			concat_ws(',', cctv.metric_label('camera_id', v.camera_id::text), cctv.metric_label('camera', v.camera),
				cctv.metric_label('location', v.location)) as labels,
			v.enabled and cctv.is_scheduled(v.camera_id, 'run', now()) as wanted
		from cctv.v_camera_health as v
			left join cctv.camera_status as s using (camera_id)
			left join cctv.recording_status as r using (camera_id)
	), states as (
		select unnest('{stopped,starting,running,reconnecting,error,finished}'::text[]) as state
	)
	select 'cctv_cameras', cctv.metric_label('state', states.state), count(camera.camera_id)::double precision
	from states
		left join camera using (state)
	group by states.state
	union all
	select 'cctv_cameras_enabled', null, count(*) filter (where c.enabled)
	from camera as c
	union all
	select 'cctv_camera_state', c.labels || ',' || cctv.metric_label('state', states.state), (c.state = states.state)::integer
	from camera as c
		cross join states
	union all
	select 'cctv_camera_frames_per_second', c.labels || ',' || cctv.metric_label('stage', f.stage), f.value
	from camera as c
		cross join lateral (values
			('in', c.fps_in::numeric), ('decoded', c.fps_decoded::numeric), ('analysed', c.fps_analysed::numeric)) as f (stage, value)
	union all
	select 'cctv_camera_decoding_seconds_total', c.labels || ',' || cctv.metric_label('decoding', f.decoding), f.value
	from camera as c
		cross join lateral (values ('full', c.full_seconds), ('keyframes', c.keyframes_seconds)) as f (decoding, value)
	union all
	select f.metric, c.labels, f.value
	from camera as c
		cross join lateral (values
			('cctv_camera_up', case when c.wanted then (c.state in ('running', 'finished'))::integer end),
			('cctv_camera_state_since_timestamp_seconds', extract(epoch from c.since)),
			('cctv_camera_received_frames_total', c.received),
			('cctv_camera_frames_total', c.frames),
			('cctv_camera_analysed_frames_total', c.analysed),
			('cctv_camera_skipped_frames_total', c.skipped),
			('cctv_camera_inferences_total', c.inferences),
			('cctv_camera_inference_seconds', c.inference_ms::numeric / 1000),
			('cctv_camera_last_frame_timestamp_seconds', extract(epoch from c.last_frame_at)),
			('cctv_camera_reconnects_total', c.reconnects),
			('cctv_camera_dropped_events_total', c.dropped_events),
			('cctv_camera_wakes_total', c.wakes),
			('cctv_camera_keyframe_interval_seconds', c.keyframe_interval::numeric),
			('cctv_camera_motion', c.motion::integer),
			('cctv_camera_quarantined', c.quarantined::integer),
			('cctv_camera_recorded_bytes_total', c.recorded_bytes),
			('cctv_camera_recording_failing', (c.failed_at is not null)::integer),
			('cctv_camera_publishing', (c.publish_state = 'publishing')::integer),
			('cctv_camera_publish_frames_per_second', c.publish_fps::numeric),
			('cctv_camera_publish_dropped_frames_total', c.publish_dropped),
			('cctv_camera_publish_reconnects_total', c.publish_reconnects)) as f (metric, value)
	union all
	select 'cctv_alerts_total',
		concat_ws(',', c.labels, cctv.metric_label('type', a.alert_type), cctv.metric_label('severity', a.severity)),
		sum(a.alerts)
	from (
			select h.camera_id, h.alert_type, h.severity, h.alerts
			from cctv.alerts_hourly as h
			union all
			select n.camera_id, n.alert_type, n.severity, 1
			from cctv.alerts as n
			where n.seq > (select cctv.rolled_up())) as a
		join camera as c using (camera_id)
	group by c.labels, a.alert_type, a.severity
$$;
comment on function cctv.camera_samples() is 'Values of the metrics about cameras that the caller may see';

create function cctv.system_samples() returns setof cctv.sample
	language sql volatile -- pg_notification_queue_usage() and the worker's figures are
	set search_path = pg_catalog, pg_temp
	as $$
	select 'cctv_info', cctv.metric_label('extension', e.extversion) || ',' || cctv.metric_label('library', cctv.version()), 1
	from pg_extension as e
	where e.extname = 'pg_cctv'
	union all
	select 'cctv_worker_up', null, (cctv.worker_pid() is not null)::integer
	union all
	select f.metric, cctv.metric_label('engine', e.engine::text), f.value
	from cctv.engine_status as e
		cross join lateral (values
			('cctv_engine_up', (e.pid is not null)::integer),
			('cctv_engine_cameras', (select count(*) from cctv.camera_status as s where s.engine = e.engine)),
			('cctv_engine_resident_memory_bytes', e.rss),
			('cctv_engine_cpu_seconds_total', e.cpu_ms / 1000.0),
			('cctv_engine_restarts_total', e.restarts),
			('cctv_engine_queued_events', e.queued),
			('cctv_engine_waiting_cameras', e.waiting),
			('cctv_engine_refused_lines_total', e.refused_lines)) as f (metric, value)
	union all
	select f.metric, null, f.value
	from cctv.ingest_status() as i
		cross join lateral (values
			('cctv_ingest_events_total', i.stored),
			('cctv_ingest_dropped_events_total', i.dropped),
			('cctv_ingest_batches_total', i.batches),
			('cctv_ingest_retries_total', i.retries),
			('cctv_ingest_queued_events', i.waiting),
			('cctv_ingest_queued_bytes', i.waiting_bytes)) as f (metric, value)
	union all
	select 'cctv_notify_queue_ratio', null, pg_notification_queue_usage()
	union all
	select 'cctv_events_total', null, cctv.last_seq()
	union all
	select 'cctv_consumer_lag_events', cctv.metric_label('consumer', c.consumer), greatest(cctv.last_seq() - c.position, 0)
	from cctv.consumers as c
	union all
	select f.metric, cctv.metric_label('kind', r.kind), f.value
	from (
		select kind, count(*) as files, sum(bytes) as bytes
		from cctv.recordings
		where state <> 'missing'
		group by kind) as r
		cross join lateral (values ('cctv_media_bytes', r.bytes), ('cctv_media_files', r.files)) as f (metric, value)
	union all
	select f.metric, null, f.value
	from cctv.media_status as m
		cross join lateral (values
			('cctv_media_free_bytes', m.free_bytes), ('cctv_media_size_bytes', m.total_bytes)) as f (metric, value)
$$;
comment on function cctv.system_samples() is 'Values of the metrics about engines, ingest, consumers and media';

create function cctv.metrics() returns text
	language sql volatile
	set search_path = pg_catalog, pg_temp
	as $$
	select coalesce(string_agg(
			format(E'# HELP %s %s\n# TYPE %s %s\n%s', f.metric, f.help, f.metric, f.type, s.lines), '' order by f.n), '')
	from cctv.metric_families() as f
		join (
			select metric, string_agg(
				metric || coalesce('{' || labels || '}', '') || ' ' || cctv.metric_value(value) || E'\n', ''
				order by labels collate "C") as lines
			from (
				select * from cctv.system_samples()
				union all
				select * from cctv.camera_samples()) as sample
			where value is not null
			group by metric) as s using (metric)
$$;
comment on function cctv.metrics() is
	'Figures of the cameras that the caller may see, of engines, ingest and media, in the text format of Prometheus';
