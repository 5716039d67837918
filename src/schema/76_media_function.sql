-- What people call about recordings and pictures.

create function cctv.start_recording(camera integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c set record_manual = true
		where c.camera_id = cctv.checked_camera(camera, 'operate') and not c.record_manual;
end
$$;
comment on function cctv.start_recording(integer) is
	'Records a camera by hand while it runs, until cctv.stop_recording(), whatever its settings say';

create function cctv.start_recording(camera text) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.start_recording(cctv.camera_id(camera)) $$;
comment on function cctv.start_recording(text) is
	'Records a camera by hand while it runs, until cctv.stop_recording(), whatever its settings say';

create function cctv.stop_recording(camera integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c set record_manual = false
		where c.camera_id = cctv.checked_camera(camera, 'operate') and c.record_manual;
end
$$;
comment on function cctv.stop_recording(integer) is
	'Ends what cctv.start_recording() began; what the camera''s settings want is recorded all the same';

create function cctv.stop_recording(camera text) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.stop_recording(cctv.camera_id(camera)) $$;
comment on function cctv.stop_recording(text) is
	'Ends what cctv.start_recording() began; what the camera''s settings want is recorded all the same';

create function cctv.protect(recording bigint) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	update cctv.recordings as r set protected = true where r.recording_id = recording;
	if not found then
		perform cctv.checked_camera(r.camera_id, 'operate') from cctv.recordings as r where r.recording_id = recording;
		raise exception 'recording % does not exist', recording
			using errcode = 'undefined_object';
	end if;
end
$$;
comment on function cctv.protect(bigint) is 'Keeps a recording or picture for good, whatever retention says';

create function cctv.unprotect(recording bigint) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	update cctv.recordings as r set protected = false where r.recording_id = recording;
	if not found then
		perform cctv.checked_camera(r.camera_id, 'operate') from cctv.recordings as r where r.recording_id = recording;
		raise exception 'recording % does not exist', recording
			using errcode = 'undefined_object';
	end if;
end
$$;
comment on function cctv.unprotect(bigint) is 'Leaves a recording or picture to retention again';

create function cctv.snapshot(alert bigint, max_width integer default null) returns bytea
	language plpgsql volatile
	set search_path = pg_catalog, pg_temp
	as $$
declare
	picture bigint := (
		select r.recording_id
		from cctv.alerts as a
			join cctv.recordings as r on r.path = a.snapshot and r.camera_id = a.camera_id
		where a.alert_id = alert and r.kind = 'snapshot' and r.state = 'complete');
begin
	if picture is null then
		return null;
	end if;
	return case when max_width is null then cctv.media(picture) else cctv.thumbnail(picture, max_width) end;
end
$$;
comment on function cctv.snapshot(bigint, integer) is
	'Picture of an alert as JPEG, at most so wide, null when there is none';

create function cctv.verify(recording bigint) returns text
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	r cctv.recordings;
	sha256 bytea;
begin
	select * into r from cctv.recordings as rec where rec.recording_id = recording;
	if not found then
		raise exception 'recording % does not exist', recording
			using errcode = 'undefined_object';
	end if;
	if r.state = 'open' then
		return 'open';
	end if;
	sha256 := cctv.media_sha256(recording);
	return case
		when sha256 is null then 'missing'
		when r.sha256 is null then 'unknown'
		when sha256 = r.sha256 then 'ok'
		else 'changed'
	end;
end
$$;
comment on function cctv.verify(bigint) is
	'Compares a file with the SHA-256 it was closed with: ok, changed, missing, unknown (it was not closed in order) or open';
