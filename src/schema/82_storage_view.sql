-- Views about recordings and the room they take.

create view cctv.v_recordings as
select r.recording_id,
	r.camera_id,
	c.name as camera,
	c.location,
	r.kind,
	r.state,
	r.reason,
	r.started_at,
	r.ended_at,
	extract(epoch from coalesce(r.duration, r.ended_at - r.started_at))::real as duration_s,
	r.frames,
	r.bytes,
	r.codec,
	r.width,
	r.height,
	r.has_audio,
	r.track_id,
	r.alert_id,
	r.evidence or r.alert_id is not null or r.reason is not distinct from 'alert' as evidence,
	r.protected,
	r.path,
	encode(r.sha256, 'hex') as sha256
from cctv.recordings as r
	join cctv.cameras as c using (camera_id);

comment on view cctv.v_recordings is 'Recordings and pictures with their cameras, one flat row each';
comment on column cctv.v_recordings.recording_id is 'Key';
comment on column cctv.v_recordings.camera_id is 'Camera';
comment on column cctv.v_recordings.camera is 'Name of the camera';
comment on column cctv.v_recordings.location is 'Where the camera hangs';
comment on column cctv.v_recordings.kind is 'recording, snapshot, clip or timelapse';
comment on column cctv.v_recordings.state is 'open, complete or missing';
comment on column cctv.v_recordings.reason is 'Why it was recorded: continuous, scheduled, motion, manual or alert';
comment on column cctv.v_recordings.started_at is 'Time of its beginning';
comment on column cctv.v_recordings.ended_at is 'Time of its end';
comment on column cctv.v_recordings.duration_s is 'Seconds that it plays';
comment on column cctv.v_recordings.frames is 'Number of frames';
comment on column cctv.v_recordings.bytes is 'Size';
comment on column cctv.v_recordings.codec is 'Codec of the video';
comment on column cctv.v_recordings.width is 'Width of the frame in pixels';
comment on column cctv.v_recordings.height is 'Height of the frame in pixels';
comment on column cctv.v_recordings.has_audio is 'Is there sound?';
comment on column cctv.v_recordings.track_id is 'Object that the picture is of';
comment on column cctv.v_recordings.alert_id is 'First alert that the picture belongs to, which may have been deleted since';
comment on column cctv.v_recordings.evidence is 'Is it known to show an alert?';
comment on column cctv.v_recordings.protected is 'It is never deleted';
comment on column cctv.v_recordings.path is 'File, relative to cctv.media_dir';
comment on column cctv.v_recordings.sha256 is 'SHA-256 of the file when it was closed, in hexadecimal';

create view cctv.v_storage as
select (r.started_at at time zone 'UTC')::date as day,
	r.camera_id,
	c.name as camera,
	c.location,
	r.kind,
	r.reason,
	count(*) as files,
	coalesce(sum(r.bytes), 0)::bigint as bytes,
	count(*) filter (where r.protected) as protected_files
from cctv.recordings as r
	join cctv.cameras as c using (camera_id)
where r.state <> 'missing'
group by 1, 2, 3, 4, 5, 6;

comment on view cctv.v_storage is 'Bytes of recordings and pictures by day, camera, kind and reason, one flat row each';
comment on column cctv.v_storage.day is 'Day (UTC) on which they begin';
comment on column cctv.v_storage.camera_id is 'Camera';
comment on column cctv.v_storage.camera is 'Name of the camera';
comment on column cctv.v_storage.location is 'Where the camera hangs';
comment on column cctv.v_storage.kind is 'recording, snapshot, clip or timelapse';
comment on column cctv.v_storage.reason is 'Why they were recorded';
comment on column cctv.v_storage.files is 'Number of files';
comment on column cctv.v_storage.bytes is 'Their size';
comment on column cctv.v_storage.protected_files is 'How many of them are protected';

create view cctv.storage as
select v.day,
	v.camera,
	v.kind,
	sum(v.files)::bigint as files,
	sum(v.bytes)::bigint as bytes,
	pg_size_pretty(sum(v.bytes)) as size,
	-- Room is all cameras': who sees some of them cannot tell.
	case when 0 in (select cctv.my_cameras('view'))
		then round((case when room.bytes > 0 then room.bytes else 0 end / nullif(rate.bytes_a_day, 0))::numeric, 1)
	end as days_left
from cctv.v_storage as v
	cross join (
		select sum(r.bytes) / greatest(extract(epoch from now() - min(r.created_at)) / 86400, 1.0 / 24) as bytes_a_day
		from cctv.recordings as r
		where r.created_at > now() - interval '1 day') as rate
	cross join (
		select least(
			(select m.free_bytes - m.total_bytes / 100 * coalesce(current_setting('cctv.media_min_free', true)::integer, 0)
				from cctv.media_status as m),
			nullif(pg_size_bytes(coalesce(current_setting('cctv.media_max_bytes', true), '0')), 0)
				- (select sum(r.bytes) from cctv.recordings as r where r.state <> 'missing')) as bytes) as room
group by v.day, v.camera, v.kind, room.bytes, rate.bytes_a_day
order by v.day, v.camera, v.kind;

comment on view cctv.storage is 'What recordings and pictures take, for people';
comment on column cctv.storage.day is 'Day (UTC) on which they begin';
comment on column cctv.storage.camera is 'Name of the camera';
comment on column cctv.storage.kind is 'recording, snapshot, clip or timelapse';
comment on column cctv.storage.files is 'Number of files';
comment on column cctv.storage.bytes is 'Their size in bytes';
comment on column cctv.storage.size is 'The same, in words';
comment on column cctv.storage.days_left is
	'Days until cctv.media_max_bytes or cctv.media_min_free asks for deletions, if all cameras go on as in the last day; null for who may not see every camera';
