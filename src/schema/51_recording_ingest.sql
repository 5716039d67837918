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
end
$$;
comment on function cctv.store_pictures(cctv.event_line[]) is 'Stores pictures that engines have written';

-- Recordings that were opened and closed.  The news of a file's end says all
-- that the news of its beginning said, so either may be missing.
create function cctv.store_segments(lines cctv.event_line[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	insert into cctv.recordings as r (camera_id, kind, state, path, reason, started_at, ended_at, frames, bytes,
			codec, width, height, has_audio, sha256, session)
		select distinct on (v.path) l.camera_id, 'recording',
			case v.action when 'closed' then 'complete' else 'open' end, v.path, v.reason, v.started_at,
			v.ended_at, v.frames, v.bytes, v.codec, v.width, v.height, v.has_audio, decode(v.sha256, 'hex'),
			l.session
		from unnest(lines) as l
			cross join jsonb_to_record(l.body) as v (action text, path text, reason text, started_at timestamptz,
				ended_at timestamptz, frames bigint, bytes bigint, codec text, width integer, height integer,
				has_audio boolean, sha256 text)
		where l.type = 'recording' and v.action in ('opened', 'closed')
		order by v.path, v.action, l.n desc
		on conflict (path) do update
			set state = excluded.state, reason = excluded.reason, started_at = excluded.started_at,
				ended_at = excluded.ended_at, frames = excluded.frames, bytes = excluded.bytes,
				codec = excluded.codec, width = excluded.width, height = excluded.height,
				has_audio = excluded.has_audio, sha256 = excluded.sha256, session = excluded.session
			where r.camera_id = excluded.camera_id and r.kind = 'recording' and r.sha256 is null;
end
$$;
comment on function cctv.store_segments(cctv.event_line[]) is 'Stores recordings that engines have begun and ended';

-- Returns the number of announcements.
create function cctv.store_recordings(lines cctv.event_line[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	unknown text;
begin
	select min(coalesce(l.body ->> 'action', 'null')) into unknown
		from unnest(lines) as l
		where l.type = 'recording'
			and (l.body ->> 'action' in ('opened', 'closed', 'failed') and l.camera_id is not null) is not true;
	if unknown is not null then
		raise exception 'a recording of the unknown action "%", or of no camera', left(unknown, 32)
			using errcode = 'invalid_parameter_value';
	end if;
	perform cctv.store_segments(lines);
	return (select count(*) from unnest(lines) as l where l.type = 'recording');
end
$$;
comment on function cctv.store_recordings(cctv.event_line[], boolean) is
	'Stores what engines say of recordings; returns the number of announcements';
