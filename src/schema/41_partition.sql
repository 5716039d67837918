-- Partitions of detections: one a day, made ahead, dropped when nobody wants
-- the day any more.
--
-- A partition is made by CREATE TABLE and ATTACH: unlike CREATE TABLE ...
-- PARTITION OF that waits for no reader, as there is no default partition.
-- Partitions are made by cctv_worker after CREATE EXTENSION, so they are no
-- members of it; DROP EXTENSION takes them along with their parent.

-- Start of a UTC day.
create function cctv.day_start(day date) returns timestamptz
	language sql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$ select day::timestamp at time zone 'UTC' $$;
comment on function cctv.day_start(date) is 'Midnight, UTC, at which a day begins';

create function cctv.partitions(out partition regclass, out day date) returns setof record
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select c.oid::regclass, to_date(substr(c.relname, 12), 'YYYYMMDD')
	from pg_inherits as i
		join pg_class as c on c.oid = i.inhrelid
	where i.inhparent = 'cctv.detections'::regclass and c.relname ~ '^detections_[0-9]{8}$'
	order by 2
$$;
comment on function cctv.partitions() is 'Partitions of detections and their days';

-- Make the partition of a day, unless it is there.
create function cctv.make_partition(day date) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
declare
	partition text := 'detections_' || to_char(day, 'YYYYMMDD');
begin
	if to_regclass('cctv.' || partition) is not null then
		return;
	end if;
	execute format('create table cctv.%I (like cctv.detections including all excluding comments, '
		'primary key (camera_id, at, track_id))', partition);
	-- It is read through its parent, whose policies hold then.
	execute format('alter table cctv.%I enable row level security', partition);
	execute format('comment on table cctv.%I is %L', partition, 'Detections of ' || day || ' (UTC)');
	execute format('alter table cctv.detections attach partition cctv.%I for values from (%L) to (%L)',
		partition, cctv.day_start(day), cctv.day_start(day + 1));
end
$$;
comment on function cctv.make_partition(date) is 'Makes the partition of a day, unless it is there';

-- Before which a camera's history is not kept, in whole days, so that dropping
-- partitions does most of the work; -infinity keeps all of it.  The times of a
-- file with a file_start are the footage's, so they say nothing of the age of
-- the rows.
create function cctv.keeps_from(camera cctv.cameras) returns timestamptz
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select case
		when camera.purge then 'infinity'
		when camera.retention is null or camera.file_start is not null then '-infinity'
		else date_trunc('day', now() - camera.retention, 'UTC')
	end
$$;
comment on function cctv.keeps_from(cctv.cameras) is
	'Midnight (UTC) before which a camera''s history is not kept';

create function cctv.is_wanted(day date) returns boolean
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select exists (
		select from cctv.cameras as c, cctv.keeps_from(c) as keeps_from
		where keeps_from < cctv.day_start(day + 1)
			and (keeps_from > '-infinity' or exists (
				select from cctv.detections as d
				where d.camera_id = c.camera_id
					and d.at >= cctv.day_start(day) and d.at < cctv.day_start(day + 1))))
$$;
comment on function cctv.is_wanted(date) is 'Does any camera keep this day''s detections?';

-- Delete up to batch rows of each kind that a camera no longer keeps, except
-- detections of days before oldest, whose partitions will be dropped.  Returns
-- whether there is nothing left to delete.
create function cctv.expire(camera cctv.cameras, oldest date, batch integer) returns boolean
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	keeps_from timestamptz := cctv.keeps_from(camera);
	upto timestamptz;
	done boolean;
	n bigint;
begin
	-- By time and not by row: (camera_id, at) leads the primary key, so both
	-- statements walk an index.
	select d.at into upto
		from cctv.detections as d
		where d.camera_id = camera.camera_id and d.at >= cctv.day_start(oldest) and d.at < keeps_from
		order by d.at
		limit 1 offset batch;
	done := not found;
	delete from cctv.detections as d
		where d.camera_id = camera.camera_id and d.at >= cctv.day_start(oldest)
			and d.at < coalesce(upto, keeps_from);

	delete from cctv.alerts
		where alert_id in (
			select alert_id from cctv.alerts as a
			where a.camera_id = camera.camera_id and a.at < keeps_from
			order by a.at limit batch);
	get diagnostics n = row_count;
	done := done and n < batch;

	delete from cctv.tracks
		where track_id in (
			select track_id from cctv.tracks as t
			where t.camera_id = camera.camera_id and t.first_seen < keeps_from and t.last_seen < keeps_from
				and not exists (select from cctv.alerts as a where a.track_id = t.track_id)
			order by t.first_seen limit batch);
	get diagnostics n = row_count;
	done := done and n < batch;

	delete from cctv.camera_events
		where event_id in (
			select event_id from cctv.camera_events as e
			where e.camera_id = camera.camera_id and e.at < keeps_from
			order by e.at limit batch);
	get diagnostics n = row_count;
	return done and n < batch;
end
$$;
comment on function cctv.expire(cctv.cameras, date, integer) is
	'Deletes a bounded number of rows that a camera no longer keeps; true when none is left';

-- The row of a removed camera goes with the last of its history.
create function cctv.forget(camera cctv.cameras) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	delete from cctv.cameras as c
		where c.camera_id = camera.camera_id and c.removed_at is not null
			and not exists (select from cctv.recordings as r where r.camera_id = c.camera_id)
			and not exists (select from cctv.alerts as a where a.camera_id = c.camera_id)
			and not exists (select from cctv.tracks as t where t.camera_id = c.camera_id)
			and not exists (select from cctv.camera_events as e where e.camera_id = c.camera_id)
			and not exists (select from cctv.detections as d where d.camera_id = c.camera_id)
			-- Its engine has said its last words.
			and not exists (select from cctv.camera_status as s where s.camera_id = c.camera_id and s.engine is not null)
			and not exists (
				select from cctv.sessions as s
				where s.camera_id = c.camera_id and s.ended_at > now() - interval '10 seconds');
	if found and camera.purge then
		-- Files that nobody told of, half-made ones included.
		perform cctv.media_remove(d.name || f.name)
			from (
				select camera.camera_id || '/' || l.name as name
				from unnest(cctv.media_list(camera.camera_id::text)) as l (name)
				where l.name ~ '/$') as d,
				unnest(cctv.media_list(rtrim(d.name, '/'))) as f (name)
			where f.name !~ '/$';
	end if;
end
$$;
comment on function cctv.forget(cctv.cameras) is 'Deletes a removed camera of which no history is left, and what else it left on disk if that was to go';

-- Called by the worker at its start and every minute.  No step waits longer
-- than 100 ms for a lock; what cannot be had now is tried the next time.
create function cctv.maintain() returns void
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	set lock_timeout = '100ms'
	as $$
declare
	today date := current_date;
	days_ahead constant integer := 7;
	batch constant integer := 20000;
	unwanted record;
	oldest date;
	camera cctv.cameras;
begin
	perform cctv.only_worker();
	for i in 0 .. days_ahead loop
		begin
			perform cctv.make_partition(today + i);
		exception when lock_not_available or duplicate_table or unique_violation then
			raise debug 'partition of % is made later: %', today + i, sqlerrm;
		end;
	end loop;

	begin
		perform cctv.roll_up();
		perform cctv.expire_notifications(batch);
	exception when lock_not_available or deadlock_detected then
		raise debug 'roll-ups and notifications are looked after later: %', sqlerrm;
	end;

	perform cctv.maintain_media();

	select min(p.day) into oldest from cctv.partitions() as p where cctv.is_wanted(p.day);
	for camera in select * from cctv.cameras order by camera_id
	loop
		continue when cctv.keeps_from(camera) = '-infinity';
		begin
			if cctv.expire(camera, oldest, batch) then
				perform cctv.forget(camera);
			end if;
		exception when lock_not_available or deadlock_detected then
			raise debug 'history of camera % expires later: %', camera.camera_id, sqlerrm;
		end;
	end loop;

	begin
		delete from cctv.sessions where ended_at < now() - interval '1 day';
	exception when lock_not_available then
		raise debug 'ended sessions are deleted later: %', sqlerrm;
	end;

	-- Last, as the lock on detections is held until the end of the transaction.
	for unwanted in
		select p.partition, p.day from cctv.partitions() as p
		where p.day < today and not cctv.is_wanted(p.day)
	loop
		begin
			execute format('drop table %s', unwanted.partition);
		exception when lock_not_available then
			raise debug 'partition % is dropped later: %', unwanted.partition, sqlerrm;
			exit;
		end;
	end loop;
end
$$;
comment on function cctv.maintain() is
	'Makes partitions a week ahead, drops those that no camera keeps, deletes what has expired';
