-- Ingest, continued: files that engines have written.

-- Pictures of tracks.  A better one takes the place of the one before.
create function cctv.store_pictures(lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	insert into cctv.recordings as r (camera_id, kind, state, path, started_at, ended_at, frames, bytes, codec,
			width, height, sha256, track_id, alert_id, session)
		select distinct on (v.path) l.camera_id, 'snapshot', 'complete', v.path, l.at, l.at, 1, v.bytes, 'mjpeg',
			v.width, v.height, decode(v.sha256, 'hex'), t.track_id,
			(select a.alert_id from cctv.alerts as a where a.track_id = t.track_id order by a.alert_id limit 1),
			l.session
		from unnest(lines) as l
			cross join jsonb_to_record(l.body) as v (track integer, path text, bytes bigint, width integer,
				height integer, sha256 text)
			left join cctv.tracks as t on t.session = l.session and t.engine_track = v.track
		where l.type = 'snapshot'
		order by v.path, l.n desc
		on conflict (path) do update
			set state = excluded.state, started_at = excluded.started_at, ended_at = excluded.ended_at,
				bytes = excluded.bytes, width = excluded.width, height = excluded.height,
				sha256 = excluded.sha256, track_id = excluded.track_id,
				alert_id = coalesce(r.alert_id, excluded.alert_id)
			where r.camera_id = excluded.camera_id and r.kind = 'snapshot';
	perform cctv.forget_recordings(array_agg(old.recording_id), 'replaced')
		from unnest(lines) as l
			join cctv.tracks as t on t.session = l.session and t.engine_track = (l.body ->> 'track')::integer
			join cctv.recordings as old on old.track_id = t.track_id
		where l.type = 'snapshot' and old.kind = 'snapshot' and old.path <> t.snapshot
		having count(*) > 0;
end
$$;
comment on function cctv.store_pictures(cctv.event_line[]) is 'Stores pictures that engines have written';

-- Recordings that were opened, closed, or found and mended after an engine was
-- killed.  The news of a file's end says all that the news of its beginning said,
-- so that may be missing.  What is closed is not opened again; what is mended after
-- all is not what it was.
create function cctv.store_segments(lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	with stored as (
		insert into cctv.recordings as r (camera_id, kind, state, path, reason, started_at, ended_at, frames, bytes,
				codec, width, height, has_audio, sha256, session)
			select distinct on (v.path) l.camera_id, 'recording',
				case v.action when 'opened' then 'open' else 'complete' end, v.path, v.reason, v.started_at,
				v.ended_at, v.frames, v.bytes, v.codec, v.width, v.height, v.has_audio, decode(v.sha256, 'hex'),
				l.session
			from unnest(lines) as l
				cross join jsonb_to_record(l.body) as v (action text, path text, reason text, started_at timestamptz,
					ended_at timestamptz, frames bigint, bytes bigint, codec text, width integer, height integer,
					has_audio boolean, sha256 text)
			where l.type = 'recording' and (v.action in ('opened', 'closed') or v.action = 'found' and (
				exists (select from cctv.recordings as known where known.path = v.path)
				-- Databases share the media directory: it may be another's.
				or coalesce(current_setting('cctv.databases', true), '') not like '%,%'))
			order by v.path, v.action, l.n desc
			on conflict (path) do update
				set state = excluded.state, reason = excluded.reason, started_at = excluded.started_at,
					ended_at = excluded.ended_at, frames = excluded.frames, bytes = excluded.bytes,
					codec = excluded.codec, width = excluded.width, height = excluded.height,
					has_audio = excluded.has_audio, sha256 = excluded.sha256, session = excluded.session
				where r.camera_id = excluded.camera_id and r.kind = 'recording'
					and (r.sha256 is null or r.sha256 <> excluded.sha256)
			returning r.camera_id, r.state, r.bytes
	)
	update cctv.camera_status as s set recorded_bytes = s.recorded_bytes + ended.bytes
		from (
			select stored.camera_id, sum(stored.bytes)::bigint as bytes
			from stored
			where stored.state = 'complete'
			group by stored.camera_id) as ended
		where s.camera_id = ended.camera_id;
end
$$;
comment on function cctv.store_segments(cctv.event_line[]) is 'Stores recordings that engines have begun, ended, or found and mended';

-- Tell people that a camera is recorded, or no longer.  Recordings of motion and
-- of alerts come and go; only what is recorded by hand, by schedule or always is
-- worth telling.
create function cctv.announce_recording(camera integer, action text, reason text, notify boolean) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	c cctv.cameras;
	before cctv.recording_status;
	is_standing boolean := reason in ('continuous', 'scheduled', 'manual');
	is_wanted boolean;
	note cctv.notifications;
begin
	select * into c from cctv.cameras where camera_id = camera;
	select * into before from cctv.recording_status where camera_id = camera;
	note.camera_id := camera;
	if action = 'opened' and (before.failed_at is not null or (is_standing and before.since is null)) then
		insert into cctv.recording_status as s (camera_id, run, since)
			values (camera, c.run, case when is_standing then clock_timestamp() end)
			on conflict (camera_id) do update
				set since = coalesce(s.since, excluded.since), failed_at = null, message = null;
		note.topic := 'recording_started';
		if before.failed_at is null then
			note.kind := 'info';
			note.message := format('%s is recorded', c.name);
		else
			note.kind := 'success';
			note.message := format('%s is recorded again', c.name);
		end if;
	elsif action = 'closed' and before.since is not null then
		select c.enabled and (c.record_manual or w.scheduled or w.mode = 'continuous')
				and cctv.is_scheduled(camera, 'run', now())
			into is_wanted
			from cctv.recording_wish(c) as w;
		if not is_wanted then
			update cctv.recording_status as s set since = null where s.camera_id = camera;
			note.kind := 'info';
			note.topic := 'recording_stopped';
			note.message := format('%s is no longer recorded', c.name);
		end if;
	end if;
	if note.topic is not null then
		perform cctv.raise_notifications(array[note], notify);
	end if;
end
$$;
comment on function cctv.announce_recording(integer, text, text, boolean) is
	'Tells people that a camera is recorded, or no longer';

-- Recording has failed: an alert and a notification, once until it works again.
create function cctv.announce_failure(camera integer, message text, at timestamptz, notify boolean) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	c cctv.cameras;
	alert cctv.alerts;
	words text := left(concat_ws(': ', 'recording failed', nullif(message, '')), 1000);
begin
	select * into c from cctv.cameras where camera_id = camera;
	insert into cctv.recording_status as s (camera_id, run, failed_at, message)
		values (camera, c.run, clock_timestamp(), words)
		on conflict (camera_id) do update
			set failed_at = excluded.failed_at, message = excluded.message
			where s.failed_at is null;
	if not found then
		return;
	end if;
	insert into cctv.alerts (camera_id, alert_type, severity, description, at)
		values (camera, 'recording_failed', 'critical', words, at)
		returning * into alert;
	if notify then
		perform pg_notify('cctv_alert', cctv.alert_payload(alert));
	end if;
	perform cctv.raise_notifications(array[
		row(null, null, 'error', 'recording_failed', camera, alert.alert_id,
			format('%s: %s', c.name, words))::cctv.notifications], notify);
end
$$;
comment on function cctv.announce_failure(integer, text, timestamptz, boolean) is
	'Recording has failed: raises an alert and a notification, once until it works again';

-- Returns the number of announcements.
create function cctv.store_recordings(lines cctv.event_line[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	n bigint := 0;
	told record;
begin
	perform cctv.store_segments(lines);
	for told in
		select l.camera_id, l.at, l.body ->> 'action' as action, l.body ->> 'reason' as reason,
			l.body ->> 'message' as message
		from unnest(lines) as l
		where l.type = 'recording'
		order by l.n
	loop
		if told.action in ('opened', 'closed') then
			perform cctv.announce_recording(told.camera_id, told.action, told.reason, notify);
		elsif told.action = 'failed' then
			perform cctv.announce_failure(told.camera_id, told.message, told.at, notify);
		elsif told.action is distinct from 'found' then
			raise exception 'a recording has the unknown action "%"', left(coalesce(told.action, 'null'), 32)
				using errcode = 'invalid_parameter_value';
		end if;
		n := n + 1;
	end loop;
	return n;
end
$$;
comment on function cctv.store_recordings(cctv.event_line[], boolean) is
	'Stores what engines say of recordings; returns the number of announcements';

-- A picture that somebody asked for (cctv.take_snapshot) is theirs to give a
-- row.  Its path is one that no picture of a track has, and its row is new, so
-- whoever may call this can claim nothing else.
create function cctv.keep_picture(camera integer, picture jsonb) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	path text := picture ->> 'path';
	file record;
	id bigint;
begin
	if path is null then
		return null;
	end if;
	-- What the engine says is checked: a path is used by others.
	if path !~ ('^' || camera || '/[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9]{6}\.[0-9]{3}-0\.jpg$') then
		raise exception 'an engine of pg_cctv sent an answer that makes no sense'
			using errcode = 'protocol_violation';
	end if;
	select * into file from cctv.media_stat(path);
	if file.bytes is null then
		raise exception 'there is no picture "%" of camera %', path, camera
			using errcode = 'invalid_parameter_value';
	end if;
	-- The engine tells of the file as well, lest a rollback here forget it.
	insert into cctv.recordings as r (camera_id, kind, state, path, reason, started_at, ended_at, frames, bytes, codec,
			width, height)
		values (camera, 'snapshot', 'complete', path, 'manual', (picture ->> 'at')::timestamptz,
			(picture ->> 'at')::timestamptz, 1, file.bytes, 'mjpeg', (picture ->> 'width')::integer,
			(picture ->> 'height')::integer)
		on conflict on constraint recordings_path_key do update
			set reason = excluded.reason
			where r.camera_id = excluded.camera_id and r.kind = excluded.kind
		returning recording_id into id;
	update cctv.recordings as r set sha256 = cctv.media_sha256(id) where r.recording_id = id and r.sha256 is null;
	return id;
end
$$;
comment on function cctv.keep_picture(integer, jsonb) is
	'Gives a picture that was taken by hand its row; returns its recording_id';
