-- Status: what the worker and its engines last said.  Written by the worker only.

create table cctv.camera_status (
	camera_id integer primary key references cctv.cameras on delete cascade,
	state text not null default 'stopped',
	message text,
	since timestamptz not null default now(),
	engine integer,
	quarantined boolean not null default false,
	run integer,
	finished_run integer,
	last_frame_at timestamptz,
	fps_in real,
	fps_decoded real,
	fps_analysed real,
	inference_ms real,
	received bigint,
	frames bigint,
	analysed bigint,
	skipped bigint,
	inferences bigint,
	dropped_events bigint,
	recorded_bytes bigint not null default 0,
	reconnects integer,
	width integer,
	height integer,
	codec text,
	runtime text,
	decoding text,
	decoding_note text,
	keyframe_interval real,
	full_seconds double precision,
	keyframes_seconds double precision,
	wakes bigint,
	motion boolean,
	motion_at timestamptz,
	publish_state text,
	publish_message text,
	publish_fps real,
	publish_dropped bigint,
	publish_reconnects integer,
	updated_at timestamptz,
	constraint state_is_known check (
		state in ('stopped', 'starting', 'running', 'reconnecting', 'error', 'finished')),
	constraint message_up_to_1000_characters check (length(message) <= 1000),
	constraint engine_from_1 check (engine >= 1),
	constraint rates_from_0 check (
		fps_in between 0 and 100000 and fps_decoded between 0 and 100000
		and fps_analysed between 0 and 100000 and inference_ms between 0 and 86400000),
	constraint decoding_is_full_or_keyframes check (decoding in ('full', 'keyframes')),
	constraint runtime_up_to_1000_characters check (length(runtime) <= 1000),
	constraint decoding_note_up_to_1000_characters check (length(decoding_note) <= 1000),
	constraint times_from_0 check (
		keyframe_interval between 0 and 1e6 and full_seconds between 0 and 1e12 and keyframes_seconds between 0 and 1e12),
	constraint counts_from_0 check (
		received >= 0 and wakes >= 0 and frames >= 0 and analysed >= 0 and skipped >= 0 and inferences >= 0
		and dropped_events >= 0 and recorded_bytes >= 0 and reconnects >= 0),
	constraint size_from_1_to_65536_pixels check (
		width between 1 and 65536 and height between 1 and 65536),
	constraint codec_up_to_32_characters check (codec ~ '^[^[:cntrl:]]{1,32}$'),
	constraint publish_state_is_known check (
		publish_state in ('waiting', 'connecting', 'publishing', 'failed')),
	constraint publish_message_up_to_1000_characters check (length(publish_message) <= 1000),
	constraint publish_figures_from_0 check (
		publish_fps between 0 and 100000 and publish_dropped >= 0 and publish_reconnects >= 0)
) with (fillfactor = 50);

comment on table cctv.camera_status is
	'How each camera that was ever started is doing; the view cctv.status is for people';
comment on column cctv.camera_status.camera_id is 'Camera';
comment on column cctv.camera_status.state is 'stopped, starting, running, reconnecting, error or finished';
comment on column cctv.camera_status.message is 'Why, in words';
comment on column cctv.camera_status.since is 'When it came into this state';
comment on column cctv.camera_status.engine is 'Slot of the engine that runs it, null when none should';
comment on column cctv.camera_status.quarantined is 'It crashed engines, so it has one of its own until it is stopped';
comment on column cctv.camera_status.run is 'cameras.run as of its last start';
comment on column cctv.camera_status.finished_run is 'cameras.run whose file has reached its end';
comment on column cctv.camera_status.last_frame_at is 'Time of the newest frame';
comment on column cctv.camera_status.fps_in is 'Frames received a second';
comment on column cctv.camera_status.fps_decoded is 'Frames decoded a second';
comment on column cctv.camera_status.fps_analysed is 'Frames analysed a second';
comment on column cctv.camera_status.inference_ms is 'Mean milliseconds of an inference';
comment on column cctv.camera_status.received is 'Frames received since the stream began';
comment on column cctv.camera_status.frames is 'Frames decoded since the stream began';
comment on column cctv.camera_status.analysed is 'Frames analysed since the stream began';
comment on column cctv.camera_status.skipped is 'Frames due for analysis but passed over since the stream began';
comment on column cctv.camera_status.inferences is 'Runs of a model since the stream began';
comment on column cctv.camera_status.dropped_events is 'Events lost to a full queue since the stream began';
comment on column cctv.camera_status.recorded_bytes is
	'Bytes of recordings that were written to their end since the camera was added';
comment on column cctv.camera_status.reconnects is 'Reconnects since the camera was started';
comment on column cctv.camera_status.width is 'Width of the frame in pixels';
comment on column cctv.camera_status.height is 'Height of the frame in pixels';
comment on column cctv.camera_status.codec is 'Codec of the stream';
comment on column cctv.camera_status.runtime is
	'What runs its models, as "objects: onnxruntime 1.24.3 int8", once they have been loaded';
comment on column cctv.camera_status.decoding is
	'What of its stream is decoded now: full, or keyframes, as cameras.idle_decode asks for while nothing happens';
comment on column cctv.camera_status.decoding_note is
	'Why every frame is decoded although cameras.idle_decode is keyframes, in words';
comment on column cctv.camera_status.keyframe_interval is 'Seconds from one keyframe of the stream to the next';
comment on column cctv.camera_status.full_seconds is 'Time in which every frame was decoded since the stream began';
comment on column cctv.camera_status.keyframes_seconds is 'Time in which only keyframes were decoded since the stream began';
comment on column cctv.camera_status.wakes is
	'How often something in a keyframe had every frame decoded since the stream began';
comment on column cctv.camera_status.motion is 'Is there motion?';
comment on column cctv.camera_status.motion_at is 'When motion last began or ended';
comment on column cctv.camera_status.publish_state is
	'Of publishing: waiting (for pictures), connecting, publishing, or failed (and tried again); null when it is not published or does not run';
comment on column cctv.camera_status.publish_message is 'Why publishing waits or has failed, in words';
comment on column cctv.camera_status.publish_fps is 'Frames published a second';
comment on column cctv.camera_status.publish_dropped is 'Frames that were not published because the server or the encoder was too slow';
comment on column cctv.camera_status.publish_reconnects is 'Further attempts to connect to that server';
comment on column cctv.camera_status.updated_at is 'When the engine last reported figures';

create table cctv.camera_events (
	event_id bigint generated by default as identity primary key,
	camera_id integer not null references cctv.cameras,
	at timestamptz not null,
	state text not null,
	previous text not null,
	message text,
	seq bigint,
	published_at timestamptz,
	constraint state_is_known check (
		state in ('stopped', 'starting', 'running', 'reconnecting', 'error', 'finished')),
	constraint previous_is_known check (
		previous in ('stopped', 'starting', 'running', 'reconnecting', 'error', 'finished')),
	constraint message_up_to_1000_characters check (length(message) <= 1000)
);
create index camera_events_camera_id_at_idx on cctv.camera_events (camera_id, at);
create unique index camera_events_seq_key on cctv.camera_events (seq);

comment on table cctv.camera_events is 'Every change of a camera''s state';
comment on column cctv.camera_events.event_id is 'Key';
comment on column cctv.camera_events.camera_id is 'Camera';
comment on column cctv.camera_events.at is 'When it changed';
comment on column cctv.camera_events.state is 'The new state';
comment on column cctv.camera_events.previous is 'The state before';
comment on column cctv.camera_events.message is 'Why, in words';
comment on column cctv.camera_events.seq is 'Its number among all events, in the order in which they became visible';
comment on column cctv.camera_events.published_at is 'When it got that number, just before it became visible';

create table cctv.sessions (
	session uuid primary key,
	camera_id integer not null references cctv.cameras on delete cascade,
	last_seq bigint not null default 0,
	started_at timestamptz not null default clock_timestamp(),
	ended_at timestamptz
) with (fillfactor = 50);
create index sessions_open_idx on cctv.sessions (camera_id) where ended_at is null;

comment on table cctv.sessions is
	'Runs of cameras'' streams, and how far the events of each have come in';
comment on column cctv.sessions.session is 'The engine''s name for it';
comment on column cctv.sessions.camera_id is 'Camera';
comment on column cctv.sessions.last_seq is 'Sequence number of the newest event stored';
comment on column cctv.sessions.started_at is 'When its first event came in';
comment on column cctv.sessions.ended_at is 'When it ended; its later events are ignored but those of files';

create table cctv.engine_status (
	engine integer primary key,
	pid integer,
	rss bigint,
	cpu_ms bigint,
	restarts integer,
	queued integer,
	waiting integer,
	refused_lines bigint,
	message text,
	updated_at timestamptz not null default clock_timestamp(),
	constraint engine_from_1 check (engine >= 1),
	constraint figures_from_0 check (pid > 0 and rss >= 0 and cpu_ms >= 0 and restarts >= 0
		and queued >= 0 and waiting >= 0 and refused_lines >= 0),
	constraint message_up_to_1000_characters check (length(message) <= 1000)
) with (fillfactor = 50);

comment on table cctv.engine_status is 'Engine processes of this database';
comment on column cctv.engine_status.engine is 'Slot';
comment on column cctv.engine_status.pid is 'Process id, null when it is not running';
comment on column cctv.engine_status.rss is 'Resident memory in bytes';
comment on column cctv.engine_status.cpu_ms is 'Processor time used, in milliseconds';
comment on column cctv.engine_status.restarts is 'How often it was started again';
comment on column cctv.engine_status.queued is 'Events that wait in it for the worker';
comment on column cctv.engine_status.waiting is 'Cameras that wait for a detector thread';
comment on column cctv.engine_status.refused_lines is 'Lines of it that the worker refused since the worker''s start';
comment on column cctv.engine_status.message is 'Why it was last lost, in words';
comment on column cctv.engine_status.updated_at is 'When the worker last looked at it';

-- A change of state on its way to record_states().
create type cctv.state_change as (
	camera_id integer,
	state text,
	message text,
	at timestamptz
);
comment on type cctv.state_change is 'A change of a camera''s state, for cctv.record_states()';
comment on column cctv.state_change.camera_id is 'Camera';
comment on column cctv.state_change.state is 'The new state';
comment on column cctv.state_change.message is 'Why, in words';
comment on column cctv.state_change.at is 'When it changed';

-- What cctv_camera_state carries about a change.
create function cctv.state_payload(event cctv.camera_events, detail text default cctv.notify_detail())
	returns text
	language sql stable
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
	select case detail
		when 'id' then row_to_json(brief)
		else row_to_json(full_)
	end::text
	from cctv.cameras as c,
		lateral (select event.event_id, event.camera_id) as brief,
		lateral (
			select event.event_id, event.camera_id, c.name as camera, event.state, event.previous,
				left(event.message, 500) as message, event.at) as full_
	where c.camera_id = event.camera_id
$$;
comment on function cctv.state_payload(cctv.camera_events, text) is
	'Payload of a notification on cctv_camera_state, one JSON object';

-- Bring camera_status to the last of the changes of each camera, with history
-- and notifications.  A camera that stays in its state only gets the message.
-- Returns the number of changes.
create function cctv.record_states(changes cctv.state_change[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	events cctv.camera_events[];
begin
	with step as materialized (
		select c.camera_id, c.state, left(c.message, 1000) as message, c.at, c.n,
			coalesce(lag(c.state) over (partition by c.camera_id order by c.n), s.state, 'stopped') as previous,
			s.since as status_since
		from unnest(changes) with ordinality as c (camera_id, state, message, at, n)
			left join cctv.camera_status as s using (camera_id)
	), event as (
		insert into cctv.camera_events (camera_id, at, state, previous, message)
		select camera_id, at, state, previous, message
		from step
		where state <> previous
		order by n
		returning *
	), status as (
		insert into cctv.camera_status as s (camera_id, state, message, since)
		select distinct on (camera_id) camera_id, state, message,
			coalesce(
				last_value(case when state <> previous then at end) over (
					partition by camera_id order by state <> previous, n
					rows between unbounded preceding and unbounded following),
				status_since, now())
		from step
		order by camera_id, n desc
		on conflict (camera_id) do update
			set state = excluded.state, message = excluded.message, since = excluded.since,
				-- Of a camera that does not run this is no longer true; its engine knows better.
				(publish_state, publish_message, publish_fps) = (
					select s.publish_state, s.publish_message, s.publish_fps where excluded.state = 'running')
	)
	select array_agg(event::cctv.camera_events order by event_id) into events from event;
	if notify then
		perform pg_notify('cctv_camera_state', cctv.state_payload(e)) from unnest(events) as e;
	end if;
	if events is not null then
		perform cctv.watch_absences(array(select e.camera_id from unnest(events) as e), notify);
	end if;
	return coalesce(cardinality(events), 0);
end
$$;
comment on function cctv.record_states(cctv.state_change[], boolean) is
	'Applies changes of state: status, history and notifications; returns how many there were';
