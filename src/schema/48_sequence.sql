-- The sequence of events: alerts and changes of cameras' states, numbered
-- 1, 2, 3 … in the order in which they become visible.
--
-- A reader that has seen number n has seen all up to n, so it can ask for what
-- is after n and never miss one.  An ordinary sequence does not give that: a
-- transaction may draw 5, another draw 6 and commit first.  Waiting for old
-- transactions to end (by xmin) would, but then any long write elsewhere in the
-- cluster holds up every reader.  So the numbers come from a single row, taken
-- by a deferred trigger as the last act before the commit, however long the
-- transaction has been running; its lock is held until the rows are visible,
-- and a rollback returns the numbers.  The flush of the commit record happens
-- under it, so this is also the limit of announcing transactions a second.
--
-- A transaction of isolation level REPEATABLE READ or higher that raises events
-- of its own fails with serialization_failure when another has raised some
-- since its snapshot: ingest runs as READ COMMITTED.

-- The row is made with the first event: one made here would be in the way of
-- the one that pg_restore loads.  There is no index that long transactions
-- elsewhere could bloat.
create table cctv.event_counter (
	last_seq bigint not null,
	constraint counts_from_1 check (last_seq >= 1)
) with (fillfactor = 10);
comment on table cctv.event_counter is 'Number of the newest event, in one row; its lock is what orders events';
comment on column cctv.event_counter.last_seq is 'Number of the newest event';

create function cctv.next_seq() returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	n bigint;
begin
	update cctv.event_counter set last_seq = last_seq + 1 returning last_seq into n;
	if not found then
		-- The first event ever; two of them wait for one another here.
		lock table cctv.event_counter in share row exclusive mode;
		update cctv.event_counter set last_seq = last_seq + 1 returning last_seq into n;
		if not found then
			insert into cctv.event_counter (last_seq) values (1) returning last_seq into n;
		end if;
	end if;
	return n;
end
$$;
comment on function cctv.next_seq() is 'Number of the next event; locks the counter until the transaction has ended';

create function cctv.number_event() returns trigger
	language plpgsql security definer
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.only_on(tg_relid, '{cctv.alerts,cctv.camera_events}');
	-- A reader must not see a number that a crash then gives to another event.
	if current_setting('synchronous_commit') = 'off' then
		perform set_config('synchronous_commit', 'local', true);
	end if;
	if tg_table_name = 'alerts' then
		perform from cctv.alerts where alert_id = new.alert_id and seq is null;
		if found then
			update cctv.alerts set seq = cctv.next_seq(), published_at = clock_timestamp()
				where alert_id = new.alert_id;
		end if;
	else
		perform from cctv.camera_events where event_id = new.event_id and seq is null;
		if found then
			update cctv.camera_events set seq = cctv.next_seq(), published_at = clock_timestamp()
				where event_id = new.event_id;
		end if;
	end if;
	return null;
end
$$;
comment on function cctv.number_event() is 'Trigger: numbers an event at commit';

-- Rows that come from a dump have their numbers.
create constraint trigger number_event after insert on cctv.alerts
	deferrable initially deferred
	for each row when (new.seq is null) execute function cctv.number_event();
comment on trigger number_event on cctv.alerts is 'Numbers an alert at commit';
create constraint trigger number_event after insert on cctv.camera_events
	deferrable initially deferred
	for each row when (new.seq is null) execute function cctv.number_event();
comment on trigger number_event on cctv.camera_events is 'Numbers a change of state at commit';
