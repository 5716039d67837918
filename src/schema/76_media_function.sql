-- What people call about recordings and pictures.

create function cctv.start_recording(camera integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c set record_manual = true
		where c.camera_id = cctv.camera_id(camera) and not c.record_manual;
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
		where c.camera_id = cctv.camera_id(camera) and c.record_manual;
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
