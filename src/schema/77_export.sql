-- Clips and time-lapses of what was recorded.

-- Recordings that cover some of a stretch of time.  One is not longer than the
-- greatest cctv.segment_duration, an hour, and some seconds until a keyframe.
-- How far one goes that is being written is not known; its last seconds are not
-- in the file yet.  One that was left open, as by a restart, ends where the next
-- one begins, or before.
create function cctv.export_segments(camera integer, from_at timestamptz, upto timestamptz) returns text
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select string_agg(format(e'%s %s %s\n', (extract(epoch from r.started_at) * 1000000)::bigint,
		(extract(epoch from r.until) * 1000000)::bigint, r.path), '' order by r.started_at, r.recording_id)
	from (
		select o.*, coalesce(o.ended_at, case when c.file_start is null and o.next_at is null
			then greatest(o.started_at, least(upto, clock_timestamp() - interval '2 seconds')) else o.started_at end) as until
		from (
			select *, lead(started_at) over (order by started_at, recording_id) as next_at
			from cctv.recordings
			where camera_id = camera and kind = 'recording'
				and started_at < upto and started_at > from_at - interval '62 minutes') as o
			join cctv.cameras as c using (camera_id)) as r
	where r.until > from_at or (r.state = 'open' and (r.next_at > from_at) is not false)
$$;
comment on function cctv.export_segments(integer, timestamptz, timestamptz) is
	'Recordings of a camera between two times, a line for each, as an engine is told of them; null: none';

-- All is read with the rights of whoever wants the export.
create function cctv.export_order(camera integer, from_at timestamptz, upto timestamptz) returns jsonb
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	c cctv.cameras;
	known record;
begin
	select * into c from cctv.cameras as cam where cam.camera_id = camera;
	if not found then
		raise exception 'camera % does not exist', camera
			using errcode = 'undefined_object',
				hint = 'See the cameras with: select * from cctv.status.';
	elsif camera not in (select cctv.my_cameras('operate')) then
		raise exception 'permission denied to export recordings of camera "%"', c.name
			using errcode = 'insufficient_privilege',
				hint = 'Who may operate the camera may; see cctv.grant_camera().';
	elsif from_at is null or upto is null or not isfinite(from_at) or not isfinite(upto) or from_at >= upto then
		raise exception 'an export needs a beginning and a later end'
			using errcode = 'invalid_parameter_value';
	elsif cctv.export_segments(camera, from_at, upto) is null then
		select min(r.started_at) as first, max(coalesce(r.ended_at, r.started_at)) as last into known
			from cctv.recordings as r where r.camera_id = camera and r.kind = 'recording';
		raise exception 'nothing was recorded of camera "%" between % and %', c.name, from_at, upto
			using errcode = 'no_data_found',
				hint = case when known.first is null then 'There are no recordings of it; see cameras.record.'
					else format('Its recordings begin at %s and end at %s.', known.first, known.last) end;
	end if;
	return jsonb_build_object('camera_id', camera, 'camera', c.name,
		'from_us', (extract(epoch from from_at) * 1000000)::bigint, 'upto_us', (extract(epoch from upto) * 1000000)::bigint,
		'bytes', (
			select coalesce(sum(r.bytes), 0) from cctv.recordings as r
			where r.camera_id = camera and r.kind = 'recording' and r.started_at < upto
				and r.started_at > from_at - interval '62 minutes' and coalesce(r.ended_at, 'infinity') > from_at));
end
$$;
comment on function cctv.export_order(integer, timestamptz, timestamptz) is
	'What an engine is told to export, unless that cannot be or the caller may not';

create function cctv.export(camera integer, from_at timestamptz, upto timestamptz, settings jsonb) returns bigint[]
	language c volatile
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_export';
comment on function cctv.export(integer, timestamptz, timestamptz, jsonb) is
	'Has an engine export what was recorded, and stores the rows of its files, which go unless the transaction commits';

-- What the engine says is checked: a path is used by others.
create function cctv.keep_export(camera integer, kind text, made jsonb) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	path text := made ->> 'path';
	file record;
	id bigint;
begin
	if kind not in ('clip', 'timelapse') or path is null
		or path !~ ('^' || camera || '/[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9]{6}\.[0-9]{3}Z-' || kind || '\.mp4$')
	then
		raise exception 'an engine of pg_cctv sent an answer that makes no sense'
			using errcode = 'protocol_violation';
	end if;
	select * into file from cctv.media_stat(path);
	if file.bytes is null then
		raise exception 'there is no export "%" of camera %', path, camera
			using errcode = 'protocol_violation';
	end if;
	-- A row with this path has lost its file, or the name would have been taken.
	insert into cctv.recordings as r (camera_id, kind, state, path, reason, started_at, ended_at, duration, frames, bytes, codec,
			width, height, has_audio, sha256, gaps)
		values (camera, kind, 'complete', path, 'manual', (made ->> 'started_at')::timestamptz,
			greatest((made ->> 'ended_at')::timestamptz, (made ->> 'started_at')::timestamptz),
			(made ->> 'duration_us')::bigint * interval '1 microsecond', (made ->> 'frames')::bigint, file.bytes,
			made ->> 'codec', (made ->> 'width')::integer, (made ->> 'height')::integer, (made ->> 'has_audio')::boolean,
			decode(made ->> 'sha256', 'hex'), made -> 'gaps')
		on conflict on constraint recordings_path_key do update
			set state = excluded.state, ended_at = excluded.ended_at, duration = excluded.duration, frames = excluded.frames,
				bytes = excluded.bytes, codec = excluded.codec, width = excluded.width, height = excluded.height,
				has_audio = excluded.has_audio, sha256 = excluded.sha256, gaps = excluded.gaps,
				created_at = excluded.created_at, started_at = excluded.started_at
			where r.camera_id = excluded.camera_id and r.kind = excluded.kind
		returning recording_id into strict id;
	return id;
end
$$;
comment on function cctv.keep_export(integer, text, jsonb) is 'Gives a file that was exported its row; returns its recording_id';

create function cctv.keep_exports(camera integer, kind text, made jsonb) returns bigint[]
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	gaps bigint := (select count(*) from jsonb_path_query(made, '$.files[*].gaps[*]'))
		+ (made ->> 'gaps_left_out')::integer;
	files bigint := jsonb_array_length(made -> 'files');
begin
	if gaps > 0 then
		raise notice '% % of the time asked for % not in the %', gaps,
			case when gaps = 1 then 'stretch' else 'stretches' end,
			case when gaps = 1 then 'is' else 'are' end, case kind when 'clip' then 'clip' else 'time-lapse' end
			using detail = format('Together they last %s. Column "gaps" tells when and why.',
				justify_hours((made ->> 'missing_s')::float8 * interval '1 second'));
	end if;
	if files > 1 then
		raise notice 'the export is in % files', files
			using detail = 'Codec, picture size or the codec''s parameters change in between.';
	end if;
	return array(
		select cctv.keep_export(camera, kind, f.file)
		from jsonb_array_elements(made -> 'files') with ordinality as f (file, n)
		order by f.n);
end
$$;
comment on function cctv.keep_exports(integer, text, jsonb) is
	'Gives what an engine has exported rows, and says what is missing in it';

create function cctv.export_clip(camera integer, from_at timestamptz, upto timestamptz)
	returns table (
		recording_id bigint, path text, started_at timestamptz, ended_at timestamptz, duration interval, frames bigint,
		bytes bigint, gaps jsonb)
	language plpgsql volatile rows 1
	set search_path = pg_catalog, pg_temp
	as $$
declare
	ids bigint[];
begin
	ids := cctv.export(camera, from_at, upto, '{"kind": "clip"}');
	return query
		select r.recording_id, r.path, r.started_at, r.ended_at, r.duration, r.frames, r.bytes, r.gaps
		from cctv.recordings as r
		where r.recording_id = any (ids)
		order by r.recording_id;
end
$$;
comment on function cctv.export_clip(integer, timestamptz, timestamptz) is
	'Copies what was recorded between two times into one MP4, without re-encoding; gaps are left out and told';

create function cctv.export_clip(camera text, from_at timestamptz, upto timestamptz)
	returns table (
		recording_id bigint, path text, started_at timestamptz, ended_at timestamptz, duration interval, frames bigint,
		bytes bigint, gaps jsonb)
	language sql volatile rows 1
	set search_path = pg_catalog, pg_temp
	as $$ select * from cctv.export_clip(cctv.camera_id(camera), from_at, upto) $$;
comment on function cctv.export_clip(text, timestamptz, timestamptz) is
	'Copies what was recorded between two times into one MP4, without re-encoding; gaps are left out and told';

create function cctv.export_timelapse(
	camera integer, from_at timestamptz, upto timestamptz, every interval default '1 minute', fps integer default 25,
	max_width integer default 1920, annotated boolean default true)
	returns table (
		recording_id bigint, path text, started_at timestamptz, ended_at timestamptz, duration interval, frames bigint,
		bytes bigint, gaps jsonb)
	language plpgsql volatile rows 1
	set search_path = pg_catalog, pg_temp
	as $$
declare
	ids bigint[];
begin
	if every is null or every < interval '10 milliseconds' or every > interval '1 year' then
		raise exception 'every must be from 10 milliseconds to a year'
			using errcode = 'invalid_parameter_value';
	elsif fps is null or fps not between 1 and 120 then
		raise exception 'fps must be from 1 to 120'
			using errcode = 'invalid_parameter_value';
	elsif max_width is null or max_width not between 16 and 16384 then
		raise exception 'max_width must be from 16 to 16384 pixels'
			using errcode = 'invalid_parameter_value';
	end if;
	ids := cctv.export(camera, from_at, upto, jsonb_build_object(
		'kind', 'timelapse', 'interval_us', (extract(epoch from every) * 1000000)::bigint, 'fps', fps,
		'max_width', max_width, 'annotated', coalesce(annotated, false)));
	return query
		select r.recording_id, r.path, r.started_at, r.ended_at, r.duration, r.frames, r.bytes, r.gaps
		from cctv.recordings as r
		where r.recording_id = any (ids)
		order by r.recording_id;
end
$$;
comment on function cctv.export_timelapse(integer, timestamptz, timestamptz, interval, integer, integer, boolean) is
	'Makes a time-lapse of what was recorded between two times: one frame each so often, H.264';

create function cctv.export_timelapse(
	camera text, from_at timestamptz, upto timestamptz, every interval default '1 minute', fps integer default 25,
	max_width integer default 1920, annotated boolean default true)
	returns table (
		recording_id bigint, path text, started_at timestamptz, ended_at timestamptz, duration interval, frames bigint,
		bytes bigint, gaps jsonb)
	language sql volatile rows 1
	set search_path = pg_catalog, pg_temp
	as $$ select * from cctv.export_timelapse(cctv.camera_id(camera), from_at, upto, every, fps, max_width, annotated) $$;
comment on function cctv.export_timelapse(text, timestamptz, timestamptz, interval, integer, integer, boolean) is
	'Makes a time-lapse of what was recorded between two times: one frame each so often, H.264';

create function cctv.export_progress()
	returns table (
		pid integer, datid oid, camera_id integer, kind text, phase text, segments_total bigint, segments_done bigint,
		bytes_total bigint, bytes_done bigint, frames bigint)
	language c volatile strict rows 2
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_export_progress';
comment on function cctv.export_progress() is
	'Exports that are being made, in all databases: the caller''s own, and those of roles whose activity the caller may see';

create view cctv.stat_progress_export as
select p.pid,
	p.datid,
	d.datname,
	p.camera_id,
	p.kind,
	p.phase,
	p.segments_total,
	p.segments_done,
	p.bytes_total,
	p.bytes_done,
	p.frames
from cctv.export_progress() as p
	left join pg_catalog.pg_database as d on d.oid = p.datid;

comment on view cctv.stat_progress_export is
	'Exports that are being made: the caller''s own, and those of roles whose activity the caller may see';
comment on column cctv.stat_progress_export.pid is 'Process that waits for it; pg_cancel_backend() ends it';
comment on column cctv.stat_progress_export.datid is 'Database it is connected to';
comment on column cctv.stat_progress_export.datname is 'Name of that database';
comment on column cctv.stat_progress_export.camera_id is 'Camera';
comment on column cctv.stat_progress_export.kind is 'clip or timelapse';
comment on column cctv.stat_progress_export.phase is
	'waiting for an engine, reading what was recorded, or finishing: completing the file and computing its checksum';
comment on column cctv.stat_progress_export.segments_total is 'Recordings that are to be read';
comment on column cctv.stat_progress_export.segments_done is 'How many of them have been read';
comment on column cctv.stat_progress_export.bytes_total is 'Their size';
comment on column cctv.stat_progress_export.bytes_done is 'How many bytes of them have been read; a time-lapse needs only a part of them';
comment on column cctv.stat_progress_export.frames is 'Frames that have been written';

-- Thumbnails are made when they are asked for: they take milliseconds, and no
-- file has to be kept, found and deleted.
create function cctv.thumbnail(recording bigint, max_width integer default 320) returns bytea
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_thumbnail';
comment on function cctv.thumbnail(bigint, integer) is
	'Small picture of a recording, its first, or of a picture, as JPEG';
