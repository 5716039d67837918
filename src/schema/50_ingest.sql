-- Ingest: event lines of the engines become rows.
--
-- ingest() expands a batch once, into an array of event_line; each kind of
-- event in it is then one statement over that array.  docs/protocol.md says
-- what the lines hold.  They are hostile: what does not fit raises an error of class 22
-- or 23, upon which the worker hands in the lines one by one.

create type cctv.event_line as (
	n bigint,
	type text,
	camera_id integer,
	session uuid,
	seq bigint,
	at timestamptz,
	is_file boolean,
	body jsonb
);
comment on type cctv.event_line is 'An event of an engine that is to be stored';
comment on column cctv.event_line.n is 'Position in the batch';
comment on column cctv.event_line.type is 'Kind of event';
comment on column cctv.event_line.camera_id is 'Camera, null when it is about the engine';
comment on column cctv.event_line.session is 'Run of the camera''s stream';
comment on column cctv.event_line.seq is 'Position in the session';
comment on column cctv.event_line.at is 'Stream time';
comment on column cctv.event_line.is_file is 'Is the camera a file? Then at is the footage''s time';
comment on column cctv.event_line.body is 'The whole line';

create type cctv.session_part as (
	session uuid,
	camera_id integer,
	last_n bigint,
	first_seq bigint,
	last_seq bigint,
	repeats boolean
);
comment on type cctv.session_part is 'What a batch holds of a session';
comment on column cctv.session_part.session is 'Session';
comment on column cctv.session_part.camera_id is 'Camera';
comment on column cctv.session_part.last_n is 'Position of its last event in the batch';
comment on column cctv.session_part.first_seq is 'Least sequence number';
comment on column cctv.session_part.last_seq is 'Greatest sequence number';
comment on column cctv.session_part.repeats is 'Does a sequence number come twice?';

-- Read and check a batch.  Lines of removed cameras are left out, except about
-- their recordings.  The days of objects are those from first_day to last_day.
create function cctv.read_lines(events jsonb, out lines cctv.event_line[], out types text[],
		out first_day date, out last_day date)
	language plpgsql
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
declare
	problem text;
begin
	if jsonb_typeof(events) is distinct from 'array' then
		raise exception 'events must be a JSON array'
			using errcode = 'invalid_parameter_value';
	end if;
	select array_agg(row(l.n, l.type, l.camera_id, l.session, l.seq, l.at, c.url like '/%', l.body)::cctv.event_line
			order by l.n) filter (where c.removed_at is null or l.type in ('recording', 'snapshot')),
			array_agg(distinct l.type collate "C"),
			(min(l.at) filter (where l.type = 'objects'))::date,
			(max(l.at) filter (where l.type = 'objects'))::date,
			min(format('event %s of the batch %s', l.n, p.problem)) filter (where p.problem is not null)
		into lines, types, first_day, last_day, problem
		from (
			select n, body, body ->> 'type' as type, (body ->> 'camera_id')::integer as camera_id,
				(body ->> 'session')::uuid as session, (body ->> 'seq')::bigint as seq,
				(body ->> 'at')::timestamptz as at
			from jsonb_array_elements(events) with ordinality as e (body, n)
			offset 0) as l
			left join cctv.cameras as c on c.camera_id = l.camera_id,
			lateral (select case
				when l.type is null then 'has no type'
				when l.type not in ('state', 'objects', 'track_end', 'motion', 'recording', 'snapshot',
					'stats', 'log', 'engine')
				then format('is of the unknown type "%s"', left(l.type, 32))
				when l.type = 'engine' or (l.type in ('stats', 'log') and l.camera_id is null) then null
				when l.camera_id is null then 'names no camera'
				when c.camera_id is null then format('names camera %s, which does not exist', l.camera_id)
				when (l.session is null) <> (l.seq is null)
					or (l.session is null and l.type not in ('state', 'log'))
				then 'has no session or no seq'
				when l.seq not between 1 and 9007199254740992 then 'has a seq out of range'
				when l.at is null and l.type not in ('state', 'stats', 'log') then 'has no time'
				when l.at < '1970-01-01 00:00:00+00' then 'is of a time before 1970'
				when l.at > now() + interval '1 day'
					and (c.url not like '/%' or l.at > coalesce(c.file_start, now()) + interval '400 days')
				then 'is of a time in the future'
				-- Days without end would be partitions without end.
				when l.type = 'objects' and l.at < coalesce(c.file_start, now()) - interval '7 days'
				then 'is of a time long past'
				when l.type = 'objects' and jsonb_typeof(l.body -> 'objects') is distinct from 'array'
				then 'has no array of objects'
				when l.type in ('track_end', 'snapshot') and (l.body ->> 'track')::integer is null
				then 'names no track'
			end) as p (problem);
	if problem is not null then
		raise exception '%', problem
			using errcode = 'invalid_parameter_value';
	end if;
end
$$;
comment on function cctv.read_lines(jsonb) is 'Reads and checks a batch of events';

-- The sessions that a batch is about.
create function cctv.session_parts(lines cctv.event_line[]) returns cctv.session_part[]
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	parts cctv.session_part[];
	ambiguous uuid;
begin
	select array_agg(row(p.session, p.camera_id, p.last_n, p.first_seq, p.last_seq, p.repeats)::cctv.session_part),
			min(p.session::text) filter (where p.camera_id <> coalesce(s.camera_id, p.other_camera_id)
				or p.camera_id <> p.other_camera_id)
		into parts, ambiguous
		from (
			select l.session, min(l.camera_id) as camera_id, max(l.camera_id) as other_camera_id,
				max(l.n) as last_n, min(l.seq) as first_seq, max(l.seq) as last_seq,
				count(*) > count(distinct l.seq) as repeats
			from unnest(lines) as l
			where l.session is not null and l.camera_id is not null
			group by l.session) as p
			left join cctv.sessions as s using (session);
	if ambiguous is not null then
		raise exception 'session % is of another camera', ambiguous
			using errcode = 'invalid_parameter_value';
	end if;
	return parts;
end
$$;
comment on function cctv.session_parts(cctv.event_line[]) is 'The sessions that a batch is about';

-- Leave out lines that were stored before, and those of sessions that have
-- ended, except about recordings; note how far the sessions have come.
create function cctv.new_lines(lines cctv.event_line[], parts cctv.session_part[]) returns cctv.event_line[]
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	insert into cctv.sessions (session, camera_id)
		select p.session, p.camera_id from unnest(parts) as p
		on conflict (session) do nothing;
	perform from (
			select p.repeats or p.first_seq <= s.last_seq or s.ended_at is not null as is_partly_old
			from cctv.sessions as s
				join unnest(parts) as p using (session)
			order by s.session
			for update of s) as part
		where is_partly_old;
	if found then
		select array_agg(l order by l.n) into lines
			from (
				select distinct on (l.session, coalesce(l.seq, l.n)) l.*
				from unnest(lines) as l
					left join cctv.sessions as s using (session)
				where s.session is null
					-- A picture is written after its frame; the file is another from then on.
					or (l.seq > s.last_seq and (s.ended_at is null or l.type = 'snapshot'))
					-- A file is completed after its stream has ended; it is known by its path.
					or l.type = 'recording'
				order by l.session, coalesce(l.seq, l.n), l.n) as l;
	end if;
	update cctv.sessions as s set last_seq = p.last_seq
		from unnest(parts) as p
		where s.session = p.session and s.last_seq < p.last_seq;
	return lines;
end
$$;
comment on function cctv.new_lines(cctv.event_line[], cctv.session_part[]) is
	'Leaves out events that were stored before, and those of sessions that have ended';

-- Make the partitions that a batch needs, usually none.
create function cctv.make_partitions(first_day date, last_day date, lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
declare
	days date[];
begin
	if first_day = last_day then
		perform cctv.make_partition(first_day);
		return;
	end if;
	select array_agg(l.day) into days
		from (select distinct l.at::date as day from unnest(lines) as l where l.type = 'objects') as l
		where to_regclass('cctv.detections_' || to_char(l.day, 'YYYYMMDD')) is null;
	if cardinality(days) > 8 then
		raise exception 'the events are spread over more than 8 days without a partition'
			using errcode = 'invalid_parameter_value',
				hint = 'Hand them in by smaller batches.';
	end if;
	perform cctv.make_partition(d) from unnest(days) as d;
end
$$;
comment on function cctv.make_partitions(date, date, cctv.event_line[]) is
	'Makes the partitions of detections that a batch needs';

-- Objects become tracks and detections.  Returns the detections, in their order,
-- for the alert rules.
create function cctv.store_objects(lines cctv.event_line[]) returns cctv.report[]
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	reports cctv.report[];
begin
	with object as materialized (
		select l.n, l.session, l.camera_id, l.at, l.decoded_at, l.inference_ms, o.track, o.label, o.confidence,
			o.box[1] as x, o.box[2] as y, o.box[3] as w, o.box[4] as h, o.stationary, o.model,
			nullif(o.attributes, '{}') as attributes, o.since, o.snapshot
		from (
			select n, session, camera_id, at, body -> 'objects' as objects,
				(body ->> 'decoded_at')::timestamptz as decoded_at,
				(body ->> 'inference_ms')::real as inference_ms
			from unnest(lines)
			where type = 'objects'
			offset 0) as l,
			jsonb_to_recordset(l.objects) as o (track integer, label text, confidence real,
				box real[], stationary boolean, model text, attributes jsonb, since timestamptz, snapshot text)
	), seen as (
		select session, track, max(at) as last_seen, count(*) as hits, max(confidence) as confidence,
			max(snapshot) as snapshot,
			-- A confirmed track was first seen a moment ago, not last year.
			min(case when since is null then at else greatest(since, at - interval '1 hour') end) as first_seen
		from object
		group by session, track
	), track as (
		insert into cctv.tracks as t (camera_id, session, engine_track, label, model, first_seen, last_seen,
			hits, best_confidence, best_at, best_x, best_y, best_w, best_h, snapshot)
		select distinct on (session, track) o.camera_id, session, track, o.label, o.model, s.first_seen,
			s.last_seen, s.hits, confidence, o.at, o.x, o.y, o.w, o.h, s.snapshot
		from seen as s join object as o using (session, track, confidence)
		order by session, track, o.n
		on conflict (session, engine_track) do update
			set last_seen = greatest(t.last_seen, excluded.last_seen),
				hits = t.hits + excluded.hits,
				snapshot = coalesce(t.snapshot, excluded.snapshot),
				(label, model, best_confidence, best_at, best_x, best_y, best_w, best_h) = (
					select t.label, t.model, t.best_confidence, t.best_at, t.best_x, t.best_y, t.best_w, t.best_h
					where excluded.best_confidence <= t.best_confidence
					union all
					select excluded.label, excluded.model, excluded.best_confidence, excluded.best_at,
						excluded.best_x, excluded.best_y, excluded.best_w, excluded.best_h
					where excluded.best_confidence > t.best_confidence)
		returning t.session, t.engine_track as track, t.track_id
	), detection as (
		insert into cctv.detections (at, track_id, camera_id, confidence, x, y, w, h, stationary, label, model,
			attributes)
		-- An object without a track has none by its own fault: not null says so.
		select at, track_id, camera_id, confidence, x, y, w, h, stationary, label, model, attributes
		from object left join track using (session, track)
	)
	select array_agg(row(track_id, camera_id, at, label, confidence, x, y, w, h, stationary, snapshot, decoded_at,
			inference_ms)::cctv.report order by n)
		into reports
		from object join track using (session, track);
	return reports;
end
$$;
comment on function cctv.store_objects(cctv.event_line[]) is 'Stores objects as tracks and detections; returns them for the alert rules';

-- A picture of a track has been written.
create function cctv.store_snapshots(lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	with pictured as (
		update cctv.tracks as t set snapshot = l.body ->> 'path'
		from unnest(lines) as l
		where l.type = 'snapshot' and t.session = l.session
			and t.engine_track = (l.body ->> 'track')::integer
		returning t.track_id, t.snapshot
	)
	update cctv.alerts as a set snapshot = pictured.snapshot
		from pictured
		where a.track_id = pictured.track_id and a.snapshot is distinct from pictured.snapshot;
end
$$;
comment on function cctv.store_snapshots(cctv.event_line[]) is 'Notes pictures with their tracks and alerts';

create function cctv.store_track_ends(lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	with told as (
		select l.session, (l.body ->> 'track')::integer as track,
			max(least((l.body ->> 'last_seen')::timestamptz, l.at)) as last_seen
		from unnest(lines) as l
		where l.type = 'track_end'
		group by 1, 2
	), gone as (
		update cctv.tracks as t
		set last_seen = greatest(t.last_seen, told.last_seen), ended_at = greatest(t.last_seen, told.last_seen)
		from told
		where t.session = told.session and t.engine_track = told.track and t.ended_at is null
		returning t.track_id, t.ended_at
	), forgotten as (
		delete from cctv.rule_state as s using gone where s.track_id = gone.track_id
	)
	update cctv.alerts as a set ended_at = gone.ended_at
		from gone
		where a.track_id = gone.track_id;
end
$$;
comment on function cctv.store_track_ends(cctv.event_line[]) is 'Ends tracks and their alerts';

-- A camera has one stream at a time: its newest session ends the others.
create function cctv.end_superseded_sessions(parts cctv.session_part[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.end_sessions(array_agg(s.session))
		from (
			select distinct on (p.camera_id) p.camera_id, p.session
			from unnest(parts) as p
				join cctv.sessions as s using (session)
			where s.ended_at is null
			order by p.camera_id, p.last_n desc) as newest
			join cctv.sessions as s using (camera_id)
		where s.ended_at is null and s.session <> newest.session
		having count(*) > 0;
end
$$;
comment on function cctv.end_superseded_sessions(cctv.session_part[]) is
	'Ends the sessions of cameras whose stream has begun anew';

-- Figures of cameras and engines: only the newest of each counts.
create function cctv.store_stats(lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	update cctv.camera_status as s
		set last_frame_at = v.last_frame_at, fps_in = v.fps_in, fps_decoded = v.fps_decoded,
			fps_analysed = v.fps_analysed, inference_ms = coalesce(v.inference_ms, s.inference_ms),
			received = v.received, frames = v.frames, analysed = v.analysed, skipped = v.skipped, inferences = v.inferences,
			dropped_events = v.dropped_events, reconnects = v.reconnects,
			width = coalesce(v.width, s.width), height = coalesce(v.height, s.height),
			codec = coalesce(v.codec, s.codec),
			runtime = nullif(left(v.runtime, 1000), ''),
			decoding = v.decoding, decoding_note = nullif(left(v.decoding_note, 1000), ''),
			keyframe_interval = coalesce(v.keyframe_interval, s.keyframe_interval),
			full_seconds = v.full_s, keyframes_seconds = v.keyframes_s, wakes = v.wakes,
			publish_state = nullif(p.state, 'off'), publish_message = nullif(left(p.message, 1000), ''),
			publish_fps = p.fps, publish_dropped = p.dropped, publish_reconnects = p.reconnects,
			updated_at = clock_timestamp()
		from (
			select distinct on (l.camera_id) l.camera_id, l.body
			from unnest(lines) as l
			where l.type = 'stats' and l.camera_id is not null
			order by l.camera_id, l.n desc) as l,
			jsonb_to_record(l.body) as v (last_frame_at timestamptz, fps_in real, fps_decoded real,
				fps_analysed real, inference_ms real, received bigint, frames bigint, analysed bigint, skipped bigint,
				inferences bigint, dropped_events bigint, reconnects integer, width integer,
				height integer, codec text, runtime text, decoding text, decoding_note text, keyframe_interval real,
				full_s double precision, keyframes_s double precision, wakes bigint, publish jsonb),
			jsonb_to_record(coalesce(v.publish, '{}')) as p (state text, message text, fps real,
				dropped bigint, reconnects integer)
		where s.camera_id = l.camera_id;
	update cctv.camera_status as s
		set motion = (l.body ->> 'active')::boolean, motion_at = l.at
		from (
			select distinct on (l.camera_id) l.camera_id, l.at, l.body
			from unnest(lines) as l
			where l.type = 'motion'
			order by l.camera_id, l.n desc) as l
		where s.camera_id = l.camera_id;
	with newest as (
		select distinct on (v.engine) v.*
		from unnest(lines) as l,
			jsonb_to_record(l.body) as v (engine integer, pid integer, rss bigint, cpu_ms bigint,
				restarts integer, queued integer, waiting integer, refused_lines bigint, message text,
				gone boolean)
		where l.type = 'engine'
		order by v.engine, l.n desc),
	forgotten as (
		delete from cctv.engine_status as s
			using newest as n
			where s.engine = n.engine and n.gone)
	insert into cctv.engine_status as s (engine, pid, rss, cpu_ms, restarts, queued, waiting, refused_lines, message)
		select n.engine, n.pid, n.rss, n.cpu_ms, n.restarts, n.queued, n.waiting, n.refused_lines,
			left(n.message, 1000)
		from newest as n
		where n.gone is not true
		on conflict (engine) do update
			set pid = excluded.pid, rss = excluded.rss, cpu_ms = excluded.cpu_ms,
				restarts = excluded.restarts, queued = excluded.queued, waiting = excluded.waiting,
				refused_lines = excluded.refused_lines, message = excluded.message, updated_at = clock_timestamp();
end
$$;
comment on function cctv.store_stats(cctv.event_line[]) is 'Stores the newest figures of cameras and engines';

-- States of cameras.  What an engine says of a camera that is not to run any
-- more comes too late.  Returns the number of changes.
create function cctv.store_states(lines cctv.event_line[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	changes cctv.state_change[];
begin
	select array_agg(row(l.camera_id, l.body ->> 'state', l.body ->> 'message',
			case when l.is_file then now() else coalesce(l.at, now()) end)::cctv.state_change order by l.n)
		into changes
		from unnest(lines) as l
			join cctv.cameras as c using (camera_id)
		where l.type = 'state' and c.enabled and cctv.is_scheduled(c.camera_id, 'run', now());
	if changes is null then
		return 0;
	end if;
	update cctv.camera_status as s
		set finished_run = coalesce((l.body ->> 'run')::integer, s.run)
		from unnest(lines) as l
		where l.type = 'state' and l.body ->> 'state' = 'finished' and s.camera_id = l.camera_id;
	return cctv.record_states(changes, notify);
end
$$;
comment on function cctv.store_states(cctv.event_line[], boolean) is
	'Stores what engines say of the states of cameras; returns the number of changes';

-- Called by the worker with what the engines have sent: in one transaction
-- everything that follows from it.  Events that were stored before change
-- nothing.  Returns the number of announcements, for which a commit must last.
create function cctv.ingest(events jsonb, notify boolean default true) returns bigint
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	set jit = off
	as $$
declare
	batch record;
	lines cctv.event_line[];
	parts cctv.session_part[];
	announced bigint := 0;
begin
	perform cctv.only_worker();
	select * into batch from cctv.read_lines(events);
	parts := cctv.session_parts(batch.lines);
	lines := cctv.new_lines(batch.lines, parts);
	if lines is null then
		return 0;
	end if;
	if 'objects' = any (batch.types) then
		perform cctv.make_partitions(batch.first_day, batch.last_day, lines);
		announced := cctv.evaluate_rules(cctv.store_objects(lines), notify);
	end if;
	if 'snapshot' = any (batch.types) then
		perform cctv.store_snapshots(lines);
		perform cctv.store_pictures(lines);
	end if;
	if 'recording' = any (batch.types) then
		announced := announced + cctv.store_recordings(lines, notify);
	end if;
	if 'track_end' = any (batch.types) then
		perform cctv.store_track_ends(lines);
	end if;
	perform cctv.end_superseded_sessions(parts);
	if batch.types && '{stats,motion,engine}' then
		perform cctv.store_stats(lines);
	end if;
	if 'engine' = any (batch.types) then
		announced := announced + cctv.watch_absences(null, notify);
	end if;
	if 'state' = any (batch.types) then
		announced := announced + cctv.store_states(lines, notify);
	end if;
	return announced;
end
$$;
comment on function cctv.ingest(jsonb, boolean) is
	'Stores events of the engines and announces what follows from them; returns the number of announcements';
