-- Functions that need the worker say what to set.  Expected output: without the
-- preload preload.out, with it preload_1.out, or preload_2.out when this
-- database is not in cctv.databases.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
\pset tuples_only on
begin;
insert into cctv.cameras (camera_id, name, url) values (-1, 'lobby', '/nowhere.mp4');
select cctv.start('lobby');
select cctv.start(-1);
select cctv.stop('lobby');
select cctv.stop(-1);
select cctv.set_detection('lobby', false, labels => '{dog}', min_confidence => 0.7);
select cctv.set_detection(-1, false);
select cctv.set_fps('lobby', 3);
select cctv.set_fps(-1, 3);
select cctv.add_camera('yard', '/nowhere.mp4', enabled => true, default_rules => false) > 0;
select cctv.start('attic');
select cctv.stop('attic');
select cctv.set_detection('attic', false);
select cctv.set_fps('attic', 3);
select cctv.set_fps('lobby', 0);
select enabled, detect, labels, min_confidence, detect_fps, run from cctv.cameras where camera_id = -1;

-- A finished file is started again, a running camera is left alone.
update cctv.cameras set enabled = true where camera_id = -1;
select run as before from cctv.cameras where camera_id = -1
\gset
select cctv.start(-1);
select run - :before from cctv.cameras where camera_id = -1;
insert into cctv.camera_status (camera_id, state, run, finished_run) values (-1, 'finished', :before, :before);
select cctv.start(-1);
select run - :before from cctv.cameras where camera_id = -1;
select cctv.start(-1);
select run - :before from cctv.cameras where camera_id = -1;

-- The error comes with the mend.
do $$
declare
	mend text;
begin
	perform cctv.require_worker();
	raise notice 'no error';
exception when object_not_in_prerequisite_state then
	get stacked diagnostics mend = pg_exception_hint;
	raise notice '%', case
		when mend ~ 'shared_preload_libraries' then 'says to preload'
		when mend ~ 'cctv.databases' and mend ~ current_database() then 'says to list the database'
		else mend
	end;
end
$$;

-- DML needs no worker.
update cctv.cameras set enabled = false, detect = true, detect_fps = 4 where camera_id = -1;
select enabled, detect, detect_fps from cctv.cameras where camera_id = -1;
rollback;
