-- Roll-ups: alerts by the hour, for dashboards that look far back.
--
-- Rows are appended once an hour and never changed: what has been counted is
-- told by the sequence of events, so an alert that comes late, as from a file,
-- is one more row of its hour and not an update.

create table cctv.alerts_hourly (
	hour timestamptz not null,
	camera_id integer not null references cctv.cameras on delete cascade,
	alert_type text not null,
	severity text not null,
	label text,
	alerts bigint not null,
	upto_seq bigint not null
);
create index alerts_hourly_camera_id_hour_idx on cctv.alerts_hourly (camera_id, hour);
create index alerts_hourly_hour_idx on cctv.alerts_hourly (hour);
create index alerts_hourly_upto_seq_idx on cctv.alerts_hourly (upto_seq);
comment on table cctv.alerts_hourly is 'Numbers of alerts by the hour; several rows of an hour add up. See v_alerts_hourly';
comment on column cctv.alerts_hourly.hour is 'Hour in which they were raised, by its beginning (UTC)';
comment on column cctv.alerts_hourly.camera_id is 'Camera';
comment on column cctv.alerts_hourly.alert_type is 'Kind of alert';
comment on column cctv.alerts_hourly.severity is 'info, warning or critical';
comment on column cctv.alerts_hourly.label is 'What the object is';
comment on column cctv.alerts_hourly.alerts is 'How many';
comment on column cctv.alerts_hourly.upto_seq is 'Number of the newest event that was counted with them';

-- Security definer: a role that sees some cameras must know how far all are
-- counted.  The number is one that every event carries.
create function cctv.rolled_up() returns bigint
	language sql stable security definer
	set search_path = pg_catalog, pg_temp
	as $$ select coalesce((select max(h.upto_seq) from cctv.alerts_hourly as h), 0) $$;
comment on function cctv.rolled_up() is 'Number of the newest event that is in the roll-ups';

-- Append what was published before this hour and is not counted yet.
create function cctv.roll_up(before timestamptz default date_trunc('hour', now())) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	n bigint;
begin
	insert into cctv.alerts_hourly (hour, camera_id, alert_type, severity, label, alerts, upto_seq)
		select date_trunc('hour', a.at, 'UTC'), a.camera_id, a.alert_type, a.severity, a.label, count(*),
			max(max(a.seq)) over ()
		from cctv.alerts as a
		where a.seq > cctv.rolled_up() and a.published_at < before
		group by 1, 2, 3, 4, 5
		order by 1, 2, 3, 4, 5;
	get diagnostics n = row_count;
	return n;
end
$$;
comment on function cctv.roll_up(timestamptz) is 'Appends to the roll-ups what was published before a time; returns the number of rows';
