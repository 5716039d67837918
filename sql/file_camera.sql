-- A real file through a real engine, twice: the same rows come out.  Needs the
-- preload, this database in cctv.databases, and a video with pedestrians in
-- PG_CCTV_TEST_VIDEO, below cctv.source_paths; else it is skipped, which
-- expected/file_camera_1.out is.
\set SHOW_CONTEXT never
set client_min_messages = warning;
\pset tuples_only on
\set video `echo "$PG_CCTV_TEST_VIDEO"`

-- Wait until a condition holds, for so many seconds at most.
create procedure pg_temp.wait_until(condition text, seconds integer)
	language plpgsql as $$
declare
	patience timestamptz := clock_timestamp() + seconds * interval '1 second';
	holds boolean;
begin
	loop
		execute 'select ' || condition into holds;
		exit when holds;
		if clock_timestamp() > patience then
			raise exception 'after % s this does not hold: %', seconds, condition
				using detail = (select jsonb_agg(to_jsonb(s)) from cctv.status as s);
		end if;
		commit;
		perform pg_sleep(0.1);
	end loop;
end
$$;
create function pg_temp.has_worker() returns boolean
	language plpgsql as $$
begin
	perform cctv.require_worker();
	return true;
exception when object_not_in_prerequisite_state then
	return false;
end
$$;
select :'video' <> '' and pg_temp.has_worker() as can_run
\gset
\if :can_run
\else
\echo 'skipped: no video or no worker'
\quit
\endif

call pg_temp.wait_until('cctv.worker_pid() is not null', 60);
select cctv.add_camera('regress file', :'video', realtime => false, loop => false,
	file_start => '2024-02-29 23:59:30+00', labels => '{person}') as camera
\gset
select cctv.start('regress file');
call pg_temp.wait_until(format('(select s.finished_run = c.run from cctv.cameras as c join cctv.camera_status as s using (camera_id) where camera_id = %s)', :camera), 300);
create temp table first_run as select distinct session from cctv.tracks where camera_id = :camera;
select cctv.start('regress file');
call pg_temp.wait_until(format('(select s.finished_run = c.run from cctv.cameras as c join cctv.camera_status as s using (camera_id) where camera_id = %s)', :camera), 300);

select state, skipped, dropped_events from cctv.camera_status where camera_id = :camera;
select count(*) filter (where state = 'running') as running, count(*) filter (where state = 'finished') as finished,
	count(*) filter (where state = 'error') as error
from cctv.camera_events where camera_id = :camera;
select count(*) from first_run;
select count(distinct session) from cctv.tracks where camera_id = :camera;
select count(*) > 10 as many_persons, bool_and(ended_at is not null) as all_ended from cctv.tracks
where camera_id = :camera and label = 'person' and session in (select session from first_run);
select count(*) = (select count(*) from cctv.tracks where camera_id = :camera) as one_alert_a_track,
	bool_and(ended_at is not null) as all_ended
from cctv.alerts where camera_id = :camera;
select min(at) >= '2024-02-29 23:59:30+00' as begins_with_the_file, count(distinct (at at time zone 'UTC')::date) as days
from cctv.detections where camera_id = :camera;

-- What differs between the runs: nothing.
create temp view d as
select t.session in (select session from first_run) as first, d.at, t.engine_track, d.label, d.confidence,
	d.x, d.y, d.w, d.h, d.stationary, d.model, d.attributes
from cctv.detections as d join cctv.tracks as t using (track_id) where d.camera_id = :camera;
create temp view t as
select session in (select session from first_run) as first, engine_track, label, model, first_seen, last_seen,
	ended_at, hits, best_confidence, best_at, best_x, best_y, best_w, best_h, snapshot is null as no_snapshot
from cctv.tracks where camera_id = :camera;
create temp view a as
select t.session in (select session from first_run) as first, t.engine_track, a.alert_type, a.label, a.confidence,
	a.at, a.ended_at, a.x, a.y, a.w, a.h, a.snapshot is null as no_snapshot
from cctv.alerts as a join cctv.tracks as t using (track_id) where a.camera_id = :camera;
select count(*) filter (where first) = count(*) filter (where not first) and count(*) > 0 as as_many from d;
select count(*) filter (where first) = count(*) filter (where not first) and count(*) > 0 as as_many from t;
select count(*) filter (where first) = count(*) filter (where not first) and count(*) > 0 as as_many from a;
select to_jsonb(d) - 'first' from d where first except select to_jsonb(d) - 'first' from d where not first;
select to_jsonb(d) - 'first' from d where not first except select to_jsonb(d) - 'first' from d where first;
select to_jsonb(t) - 'first' from t where first except select to_jsonb(t) - 'first' from t where not first;
select to_jsonb(t) - 'first' from t where not first except select to_jsonb(t) - 'first' from t where first;
select to_jsonb(a) - 'first' from a where first except select to_jsonb(a) - 'first' from a where not first;
select to_jsonb(a) - 'first' from a where not first except select to_jsonb(a) - 'first' from a where first;

select cctv.remove_camera('regress file', keep_history => false);
select cctv.maintain();
select count(*) from cctv.detections where camera_id = :camera;
