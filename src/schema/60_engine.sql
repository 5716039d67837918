-- Engines: which camera runs where, and what each engine is told.  All of this
-- is called by the worker.

-- Cameras that should run now: enabled, within their schedules, and not a file
-- that has been played.
create function cctv.desired_cameras() returns integer[]
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select coalesce(array_agg(c.camera_id order by c.camera_id), '{}')
	from cctv.cameras as c
		left join cctv.camera_status as s using (camera_id)
	where c.enabled and s.finished_run is distinct from c.run and cctv.is_scheduled(c.camera_id, 'run', now())
$$;
comment on function cctv.desired_cameras() is 'Cameras that should run now';

-- Take their engines from cameras that should not run any more.
create function cctv.stop_undesired(desired integer[], notify boolean) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	leaving integer[];
begin
	select array_agg(s.camera_id order by s.camera_id) into leaving
		from cctv.camera_status as s
			join cctv.cameras as c using (camera_id)
		where s.camera_id <> all (desired)
			and (s.engine is not null or s.quarantined
				or (s.state <> 'stopped' and not (s.state = 'finished' and c.enabled)));
	if leaving is null then
		return;
	end if;
	update cctv.camera_status as s
		set engine = null, quarantined = false, motion = false,
			fps_in = 0, fps_decoded = 0, fps_analysed = 0
		where s.camera_id = any (leaving);
	perform cctv.end_sessions(cctv.open_sessions(leaving));
	perform cctv.record_states(array_agg(row(c.camera_id, 'stopped',
				case when c.enabled then 'its schedule has ended' end, clock_timestamp())::cctv.state_change
			order by c.camera_id), notify)
		from cctv.cameras as c
			join cctv.camera_status as s using (camera_id)
		where c.camera_id = any (leaving) and not (s.state = 'finished' and c.enabled);
end
$$;
comment on function cctv.stop_undesired(integer[], boolean) is
	'Takes their engines from cameras that should not run any more';

-- Note new starts of cameras that should run.
create function cctv.start_desired(desired integer[], notify boolean) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.record_states(array_agg(row(d.camera_id, 'starting', null, clock_timestamp())::cctv.state_change
			order by d.camera_id), notify)
		from unnest(desired) as d (camera_id)
			left join cctv.camera_status as s using (camera_id)
		where coalesce(s.state, 'stopped') in ('stopped', 'finished')
		having count(*) > 0;
	update cctv.camera_status as s set run = c.run
		from cctv.cameras as c
		where c.camera_id = s.camera_id and c.camera_id = any (desired) and s.run is distinct from c.run;
end
$$;
comment on function cctv.start_desired(integer[], boolean) is 'Notes new starts of cameras that should run';

-- Give every camera that should run a slot of an engine.  Cameras keep theirs;
-- a quarantined one sits alone; the lowest slot with a free place is next.
create function cctv.place_cameras(desired integer[], per_engine integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	-- Who sits in a slot beyond its places moves.
	update cctv.camera_status as s set engine = null
		from (
			select camera_id,
				row_number() over (partition by engine order by quarantined desc, camera_id) as place,
				bool_or(quarantined) over (partition by engine) as alone
			from cctv.camera_status
			where engine is not null) as seat
		where s.camera_id = seat.camera_id
			and seat.place > case when seat.alone then 1 else per_engine end;
	if not exists (
		select from cctv.camera_status where camera_id = any (desired) and engine is null)
	then
		return;
	end if;

	-- As many slots as cameras are always enough.
	update cctv.camera_status as s set engine = empty.slot
		from (
			select slot, row_number() over (order by slot) as n
			from generate_series(1, cardinality(desired)) as slot
			where not exists (select from cctv.camera_status where engine = slot)) as empty
			join (
				select camera_id, row_number() over (order by camera_id) as n
				from cctv.camera_status
				where camera_id = any (desired) and engine is null and quarantined) as waiting using (n)
		where s.camera_id = waiting.camera_id;
	update cctv.camera_status as s set engine = free.slot
		from (
			select slot, row_number() over (order by slot, place) as n
			from generate_series(1, cardinality(desired)) as slot,
				generate_series(1, per_engine) as place
			where place > (select count(*) from cctv.camera_status where engine = slot)
				and not exists (select from cctv.camera_status where engine = slot and quarantined)) as free
			join (
				select camera_id, row_number() over (order by camera_id) as n
				from cctv.camera_status
				where camera_id = any (desired) and engine is null) as waiting using (n)
		where s.camera_id = waiting.camera_id;
end
$$;
comment on function cctv.place_cameras(integer[], integer) is 'Gives every camera that should run a slot of an engine';

create function cctv.assign_engines(per_engine integer, notify boolean default true)
	returns table (engine integer, camera_id integer)
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_column
declare
	desired integer[] := cctv.desired_cameras();
begin
	perform cctv.only_worker();
	if per_engine is null or per_engine < 1 then
		raise exception 'an engine needs at least one camera'
			using errcode = 'invalid_parameter_value';
	end if;
	perform cctv.stop_undesired(desired, notify);
	perform cctv.start_desired(desired, notify);
	perform cctv.place_cameras(desired, per_engine);
	perform cctv.watch_absences(null, notify);
	return query
		select s.engine, s.camera_id from cctv.camera_status as s
		where s.engine is not null
		order by s.engine, s.camera_id;
end
$$;
comment on function cctv.assign_engines(integer, boolean) is
	'Brings the states of cameras to what is desired and gives those that should run an engine; returns who runs where';

create function cctv.zone_points(camera integer, kind text) returns jsonb
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select coalesce(jsonb_agg(z.points order by z.zone_id), '[]')
	from cctv.zones as z
	where z.camera_id = camera and z.kind = zone_points.kind
$$;
comment on function cctv.zone_points(integer, text) is 'Corners of a camera''s zones of a kind, as an engine is told';

-- Where a rule must know who is still there, an engine reports objects every
-- second even if they stand still.  A rule without a zone watches everything.
create function cctv.watched_zones(camera integer) returns jsonb
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select coalesce(jsonb_agg(w.points order by w.points), '[]')
	from (
		select distinct coalesce(z.points, '{{0,0},{1,0},{1,1},{0,1}}') as points
		from cctv.alert_rules as r
			left join cctv.zones as z on z.zone_id = r.zone_id
		where r.enabled and r.source = 'objects' and (r.camera_id is null or r.camera_id = camera)
			and (r.min_dwell > interval '0' or r.min_count > 1)) as w
$$;
comment on function cctv.watched_zones(integer) is
	'Corners of the zones in which an engine reports objects every second, also those that stand still';

-- When the worker must look again for the sake of a schedule.
create function cctv.next_look() returns timestamptz
	language sql stable security definer
	set search_path = pg_catalog, pg_temp
	as $$
	select cctv.only_worker();
	select min(cctv.schedule_edge(s, cctv.zone_of(s, s.camera_id), now()))
	from cctv.schedules as s
		join cctv.cameras as c using (camera_id)
	where c.enabled
$$;
comment on function cctv.next_look() is 'When a schedule of a camera that is enabled next begins or ends, null when none does';

-- What an engine is told: everything about its cameras, secrets included.  The
-- same rows give the same text.
create function cctv.desired_state(engine integer) returns jsonb
	language sql stable security definer
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
	select cctv.only_worker();
	with mine as materialized (
		select c.*, secret.username, secret.password, main.username as record_username,
			main.password as record_password, sink.username as publish_username,
			sink.password as publish_password, wish.mode, wish.scheduled, window_.alert_from, window_.alert_until
		from cctv.camera_status as s
			join cctv.cameras as c using (camera_id)
			left join cctv.camera_secrets as secret
				on secret.camera_id = c.camera_id
				and secret.authority = cctv.url_authority(coalesce(c.detect_url, c.url))
			left join cctv.camera_secrets as main
				on main.camera_id = c.camera_id
				and c.detect_url is not null and main.authority = cctv.url_authority(c.url)
			left join cctv.publish_secrets as sink
				on sink.camera_id = c.camera_id and sink.authority = cctv.url_authority(c.publish_url)
			left join cctv.recording_status as window_
				on window_.camera_id = c.camera_id and window_.run = c.run and c.record = 'alerts',
			cctv.recording_wish(c) as wish
		where s.engine = desired_state.engine
	)
	select jsonb_build_object(
		'models', coalesce((
			select jsonb_agg(jsonb_build_object(
				'name', m.name, 'kind', m.kind, 'file', m.file, 'runtime', m.runtime,
				'input_width', m.input_width, 'input_height', m.input_height,
				'labels', m.labels, 'min_confidence', m.min_confidence, 'nms_iou', m.nms_iou,
				'options', m.options) order by m.name)
			from cctv.models as m
			where exists (select from mine where m.name = any (mine.models))), '[]'),
		'cameras', coalesce((
			select jsonb_agg(jsonb_build_object(
				'camera_id', c.camera_id, 'run', c.run, 'name', c.name,
				'url', c.url, 'detect_url', c.detect_url, 'username', c.username, 'password', c.password,
				'rtsp_transport', c.rtsp_transport,
				'detect', c.detect and cctv.is_scheduled(c.camera_id, 'detect', now()), 'detect_fps', c.detect_fps,
				'idle_decode', c.idle_decode,
				'models', c.models, 'labels', c.labels, 'min_confidence', c.min_confidence,
				'median_confidence', c.median_confidence, 'min_area', c.min_area, 'max_area', c.max_area,
				'min_aspect', c.min_aspect, 'max_aspect', c.max_aspect,
				'motion_threshold', c.motion_threshold, 'motion_min_area', c.motion_min_area,
				'snapshots', c.snapshots, 'snapshot_annotated', c.annotate_snapshots, 'realtime', c.realtime, 'loop', c.loop,
				'file_start', c.file_start,
				'masks', cctv.zone_points(c.camera_id, 'mask'),
				'privacy', cctv.zone_points(c.camera_id, 'privacy'),
				'watched', cctv.watched_zones(c.camera_id),
				'record', c.mode, 'record_manual', c.record_manual, 'record_scheduled', c.scheduled,
				'pre_roll', extract(epoch from c.pre_roll)::real,
				'post_roll', extract(epoch from c.post_roll)::real,
				'record_alert_from', c.alert_from, 'record_alert_until', c.alert_until,
				'record_username', c.record_username, 'record_password', c.record_password,
				'publish_url', c.publish_url, 'publish_annotated', c.publish_annotated,
				'publish_username', c.publish_username, 'publish_password', c.publish_password) order by c.camera_id)
			from mine as c), '[]'))
$$;
comment on function cctv.desired_state(integer) is
	'Cameras and models of an engine, as docs/protocol.md describes them';

create function cctv.engine_lost(engine integer, reason text, notify boolean default true) returns void
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
declare
	lost integer[];
begin
	perform cctv.only_worker();
	select array_agg(s.camera_id order by s.camera_id) into lost
		from cctv.camera_status as s
		where s.engine = engine_lost.engine and s.state not in ('stopped', 'finished');
	perform cctv.end_sessions(cctv.open_sessions(lost));
	perform cctv.record_states(array_agg(row(l, 'reconnecting', reason, clock_timestamp())::cctv.state_change
			order by l), notify)
		from unnest(lost) as l
		having count(*) > 0;
	update cctv.engine_status as e
		set pid = null, rss = null, queued = null, waiting = null, message = left(reason, 1000), updated_at = clock_timestamp()
		where e.engine = engine_lost.engine;
end
$$;
comment on function cctv.engine_lost(integer, text, boolean) is
	'An engine has died: its cameras reconnect, what they were seeing has ended';

create function cctv.quarantine(camera_id integer, reason text, notify boolean default true) returns void
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.only_worker();
	update cctv.camera_status as s set quarantined = true, engine = null
		where s.camera_id = quarantine.camera_id;
	if not found then
		raise exception 'camera % has never run', camera_id
			using errcode = 'undefined_object';
	end if;
	perform cctv.record_states(
		array[row(camera_id, 'reconnecting', reason, clock_timestamp())::cctv.state_change], notify);
end
$$;
comment on function cctv.quarantine(integer, text, boolean) is
	'A camera has crashed engines: the next assign_engines() gives it one of its own, until it is stopped';

-- A new worker knows of no engine: whatever ran has ended.
create function cctv.worker_started(pid integer, notify boolean default true) returns void
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
declare
	interrupted integer[];
begin
	perform cctv.only_worker();
	delete from cctv.engine_status;
	perform cctv.end_sessions(array_agg(s.session))
		from cctv.sessions as s
		where s.ended_at is null;
	-- Tracks without a session were restored from a dump.
	with gone as (
		update cctv.tracks set ended_at = last_seen
		where ended_at is null
		returning track_id, ended_at
	)
	update cctv.alerts as a set ended_at = gone.ended_at
		from gone
		where a.track_id = gone.track_id;
	delete from cctv.rule_state;
	update cctv.camera_status set engine = null
		where engine is not null;
	select array_agg(s.camera_id order by s.camera_id) into interrupted
		from cctv.camera_status as s
		where s.state not in ('stopped', 'finished');
	perform cctv.record_states(
			array_agg(row(i, 'starting', format('worker %s has started', pid), clock_timestamp())::cctv.state_change
				order by i), notify)
		from unnest(interrupted) as i
		having count(*) > 0;
end
$$;
comment on function cctv.worker_started(integer, boolean) is
	'Called by a new worker: what ran in the life of the former has ended';
