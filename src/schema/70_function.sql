-- What people call.  Each function takes a camera by its name or by its
-- camera_id, and runs with the rights of the caller.

create function cctv.camera_id(camera text) returns integer
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	id integer;
begin
	select c.camera_id into id from cctv.cameras as c
		where c.name = camera and c.removed_at is null;
	if not found then
		raise exception 'camera "%" does not exist', camera
			using errcode = 'undefined_object',
				hint = 'See the cameras with: select * from cctv.status.';
	end if;
	return id;
end
$$;
comment on function cctv.camera_id(text) is 'Key of a camera by its name; an error when there is none';

create function cctv.camera_id(camera integer) returns integer
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform from cctv.cameras as c
		where c.camera_id = camera and c.removed_at is null;
	if not found then
		raise exception 'camera % does not exist', camera
			using errcode = 'undefined_object',
				hint = 'See the cameras with: select * from cctv.status.';
	end if;
	return camera;
end
$$;
comment on function cctv.camera_id(integer) is 'The key itself when there is such a camera; an error when there is none';

create function cctv.add_camera(
	name text,
	url text,
	location text default null,
	detect_url text default null,
	enabled boolean default false,
	detect boolean default true,
	detect_fps real default 5,
	models text[] default '{objects}',
	labels text[] default '{person}',
	min_confidence real default 0.5,
	motion_threshold integer default 20,
	motion_min_area real default 0.0005,
	snapshots boolean default true,
	rtsp_transport text default 'tcp',
	realtime boolean default true,
	loop boolean default false,
	file_start timestamptz default null,
	time_zone text default null,
	retention interval default '30 days',
	default_rules boolean default true,
	record text default 'off',
	pre_roll interval default '5 seconds',
	post_roll interval default '10 seconds',
	continuous_retention interval default null,
	motion_retention interval default null,
	alert_retention interval default null,
	idle_decode text default 'full') returns integer
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	added integer;
begin
	if add_camera.enabled then
		perform cctv.require_worker();
	end if;
	perform cctv.check_models(add_camera.models, add_camera.labels);
	insert into cctv.cameras as c (name, url, location, detect_url, enabled, detect, detect_fps, models, labels,
		min_confidence, motion_threshold, motion_min_area, snapshots, rtsp_transport, realtime, loop,
		file_start, time_zone, retention, record, pre_roll, post_roll, continuous_retention, motion_retention,
		alert_retention, idle_decode)
	values (add_camera.name, cctv.find_stream(add_camera.url), add_camera.location, add_camera.detect_url, add_camera.enabled,
		add_camera.detect, add_camera.detect_fps, add_camera.models, add_camera.labels,
		add_camera.min_confidence, add_camera.motion_threshold, add_camera.motion_min_area,
		add_camera.snapshots, add_camera.rtsp_transport, add_camera.realtime, add_camera.loop,
		add_camera.file_start, add_camera.time_zone, add_camera.retention, add_camera.record,
		add_camera.pre_roll, add_camera.post_roll, add_camera.continuous_retention,
		add_camera.motion_retention, add_camera.alert_retention, add_camera.idle_decode)
	returning c.camera_id into added;
	if add_camera.default_rules then
		perform cctv.default_rules(added);
	end if;
	return added;
end
$$;
comment on function cctv.add_camera(text, text, text, text, boolean, boolean, real, text[], text[], real,
	integer, real, boolean, text, boolean, boolean, timestamptz, text, interval, boolean, text, interval, interval,
	interval, interval, interval, text) is
	'Adds a camera, stopped unless enabled, with the alert rules of cctv.default_rules(); returns its camera_id';

create function cctv.start(camera integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c
		set enabled = true, run = case when c.enabled then c.run + 1 else c.run end
		where c.camera_id = cctv.checked_camera(camera, 'operate')
			and (not c.enabled or exists (
				select from cctv.camera_status as s
				where s.camera_id = c.camera_id and s.finished_run = c.run));
end
$$;
comment on function cctv.start(integer) is
	'Starts a camera; plays a finished file again; leaves one that runs alone';

create function cctv.stop(camera integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c set enabled = false
		where c.camera_id = cctv.checked_camera(camera, 'operate') and c.enabled;
end
$$;
comment on function cctv.stop(integer) is 'Stops a camera';

create function cctv.set_detection(
	camera integer,
	detect boolean,
	models text[] default null,
	labels text[] default null,
	min_confidence real default null) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c
		set detect = set_detection.detect,
			models = coalesce(set_detection.models, c.models),
			labels = coalesce(set_detection.labels, c.labels),
			min_confidence = coalesce(set_detection.min_confidence, c.min_confidence)
		where c.camera_id = cctv.checked_camera(camera, 'manage');
end
$$;
comment on function cctv.set_detection(integer, boolean, text[], text[], real) is
	'Switches detection on or off, and sets models, labels and min_confidence unless null';

create function cctv.set_fps(camera integer, fps real) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.require_worker();
	update cctv.cameras as c set detect_fps = fps
		where c.camera_id = cctv.checked_camera(camera, 'manage');
end
$$;
comment on function cctv.set_fps(integer, real) is 'Sets how many frames a second are analysed';

-- The row stays until its history is gone: at once deleted is only what says
-- how to reach the camera.  History is deleted bit by bit by maintain(), so
-- this holds no long lock.
create function cctv.remove_camera(camera integer, keep_history boolean default true) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	if camera not in (select cctv.my_cameras('manage')) then
		perform cctv.checked_camera(camera, 'manage');
	end if;
	update cctv.cameras as c
		set removed_at = coalesce(c.removed_at, clock_timestamp()), enabled = false, purge = not keep_history
		where c.camera_id = camera;
	if not found then
		perform cctv.camera_id(camera);
	end if;
end
$$;
comment on function cctv.remove_camera(integer, boolean) is
	'Removes a camera; its history stays for as long as its retention says, or is deleted soon. Also deletes the history of a camera removed before';

create function cctv.start(camera text) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.start(cctv.camera_id(camera)) $$;
comment on function cctv.start(text) is
	'Starts a camera; plays a finished file again; leaves one that runs alone';

create function cctv.stop(camera text) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.stop(cctv.camera_id(camera)) $$;
comment on function cctv.stop(text) is 'Stops a camera';

create function cctv.set_detection(
	camera text,
	detect boolean,
	models text[] default null,
	labels text[] default null,
	min_confidence real default null) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.set_detection(cctv.camera_id(camera), detect, models, labels, min_confidence) $$;
comment on function cctv.set_detection(text, boolean, text[], text[], real) is
	'Switches detection on or off, and sets models, labels and min_confidence unless null';

create function cctv.set_fps(camera text, fps real) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.set_fps(cctv.camera_id(camera), fps) $$;
comment on function cctv.set_fps(text, real) is 'Sets how many frames a second are analysed';

create function cctv.remove_camera(camera text, keep_history boolean default true) returns void
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.remove_camera(cctv.camera_id(camera), keep_history) $$;
comment on function cctv.remove_camera(text, boolean) is
	'Removes a camera; its history stays for as long as its retention says, or is deleted soon';

create function cctv.health(out item text, out ok boolean, out message text) returns setof record
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select 'worker', w.pid is not null,
		coalesce('runs as process ' || w.pid,
			'does not run: pg_cctv must be in shared_preload_libraries, and this database in cctv.databases')
	from cctv.worker_pid() as w (pid)
	union all
	select 'version', v.built = e.extversion,
		case when v.built = e.extversion then v.built
			else format('the library is %s, the extension %s: restart the server or run alter extension pg_cctv update',
				v.built, e.extversion)
		end
	from cctv.version() as v (built), pg_extension as e
	where e.extname = 'pg_cctv'
	union all
	select 'engine ' || e.engine, e.pid is not null and e.updated_at > now() - interval '30 seconds',
		case when e.pid is null then coalesce(e.message, 'does not run')
			else format('process %s, %s, %s s of processor time, %s restarts', e.pid,
				pg_size_pretty(e.rss), round(e.cpu_ms / 1000.0, 1), e.restarts)
		end
	from cctv.engine_status as e
	union all
	select format('camera "%s"', c.name), coalesce(s.state, 'stopped') in ('running', 'finished'),
		concat_ws(': ', coalesce(s.state, 'stopped'), nullif(s.message, ''))
	from cctv.cameras as c
		left join cctv.camera_status as s using (camera_id)
	where c.enabled
	union all
	select format('recording of "%s"', c.name), false, s.message
	from cctv.recording_status as s
		join cctv.cameras as c using (camera_id)
	where s.failed_at is not null and c.enabled
	union all
	select format('publishing of "%s"', c.name), s.publish_state = 'publishing',
		concat_ws(': ', s.publish_state, s.publish_message)
	from cctv.camera_status as s
		join cctv.cameras as c using (camera_id)
	where s.publish_state is not null and c.enabled
	union all
	select 'partitions', coalesce(max(p.day) > current_date, false),
		coalesce('of detections are there until ' || max(p.day), 'of detections: none')
	from cctv.partitions() as p
$$;
comment on function cctv.health() is
	'Is everything well? One row for the worker, each engine, each enabled camera, what fails to be recorded, what is published, and the partitions';
