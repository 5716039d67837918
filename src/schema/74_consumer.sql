-- Consumers: reading the sequence of events without missing one, and without a
-- broker.
--
-- consume() gives what is after a consumer's position and commit_offset() moves
-- it; what was not committed is given again.  alerts_since() is for clients
-- that keep their position themselves.

create type cctv.event as (
	seq bigint,
	published_at timestamptz,
	kind text,
	at timestamptz,
	camera_id integer,
	camera text,
	type text,
	severity text,
	label text,
	confidence real,
	description text,
	alert_id bigint,
	event_id bigint,
	x real,
	y real,
	w real,
	h real,
	snapshot text
);
comment on type cctv.event is 'An alert or a change of a camera''s state, as readers of the sequence get it';
comment on column cctv.event.seq is 'Number in the sequence: what is new has a higher one';
comment on column cctv.event.published_at is 'When it became visible';
comment on column cctv.event.kind is 'alert or camera';
comment on column cctv.event.at is 'When it happened';
comment on column cctv.event.camera_id is 'Camera';
comment on column cctv.event.camera is 'Name of the camera';
comment on column cctv.event.type is 'Type of the alert, or the camera''s new state';
comment on column cctv.event.severity is 'info, warning or critical';
comment on column cctv.event.label is 'What the object is, of an alert';
comment on column cctv.event.confidence is 'Confidence of the detection that raised the alert';
comment on column cctv.event.description is 'In words';
comment on column cctv.event.alert_id is 'Alert';
comment on column cctv.event.event_id is 'Row of camera_events';
comment on column cctv.event.x is 'Left edge of the object, as a fraction of the frame''s width';
comment on column cctv.event.y is 'Top edge, as a fraction of the frame''s height';
comment on column cctv.event.w is 'Width, as a fraction of the frame''s';
comment on column cctv.event.h is 'Height, as a fraction of the frame''s';
comment on column cctv.event.snapshot is 'Picture, relative to cctv.media_dir';

create table cctv.consumers (
	consumer text primary key,
	position bigint not null,
	cameras integer[],
	types text[],
	min_severity text not null default 'info',
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	owner regrole not null default quote_ident(current_user)::regrole,
	constraint consumer_of_1_to_128_characters check (consumer ~ '^[^[:cntrl:]]{1,128}$'),
	constraint position_from_0 check (position >= 0),
	constraint min_severity_is_info_warning_or_critical check (min_severity in ('info', 'warning', 'critical'))
) with (fillfactor = 50);
comment on table cctv.consumers is 'Who reads the sequence of events, and how far they are';
comment on column cctv.consumers.consumer is 'Name';
comment on column cctv.consumers.position is 'Number of the newest event that is dealt with';
comment on column cctv.consumers.cameras is 'Only events of these cameras; null: of all';
comment on column cctv.consumers.types is 'Only alerts of these types, and changes to these states; null: all';
comment on column cctv.consumers.min_severity is 'Only events at least this severe: info, warning or critical';
comment on column cctv.consumers.created_at is 'When it was created';
comment on column cctv.consumers.updated_at is 'When its position last changed';
comment on column cctv.consumers.owner is 'Role that created it: its members, and cctv_admin, use it';

create function cctv.last_seq() returns bigint
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$ select coalesce((select c.last_seq from cctv.event_counter as c), 0) $$;
comment on function cctv.last_seq() is 'Number of the newest event, 0 when there has been none';

-- Events between two numbers that a reader wants, in order.  Each kind is read
-- along its own index and no further than n rows.
create function cctv.events_between(
	after bigint,
	upto bigint,
	n integer,
	cameras integer[] default null,
	types text[] default null,
	min_severity text default 'info') returns setof cctv.event
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select e.seq, e.published_at, e.kind, e.at, e.camera_id, c.name, e.type, e.severity, e.label, e.confidence,
		e.description, e.alert_id, e.event_id, e.x, e.y, e.w, e.h, e.snapshot
	from (
		(select a.seq, a.published_at, 'alert' as kind, a.at, a.camera_id, a.alert_type as type, a.severity,
				a.label, a.confidence, a.description, a.alert_id, null::bigint as event_id,
				a.x, a.y, a.w, a.h, a.snapshot
			from cctv.alerts as a
			where a.seq > after and a.seq <= upto
				and (cameras is null or a.camera_id = any (cameras))
				and (types is null or a.alert_type = any (types))
				and array_position('{info,warning,critical}', a.severity)
					>= array_position('{info,warning,critical}', min_severity)
			order by a.seq limit n)
		union all
		(select s.seq, s.published_at, 'camera', s.at, s.camera_id, s.state,
				case when s.state in ('reconnecting', 'error') then 'warning' else 'info' end,
				null, null, concat_ws(': ', s.previous || ' → ' || s.state, s.message), null, s.event_id,
				null, null, null, null, null
			from cctv.camera_events as s
			where s.seq > after and s.seq <= upto
				and (cameras is null or s.camera_id = any (cameras))
				and (types is null or s.state = any (types))
				and (min_severity = 'info' or min_severity = 'warning' and s.state in ('reconnecting', 'error'))
			order by s.seq limit n)) as e
		join cctv.cameras as c using (camera_id)
	order by e.seq
	limit n
$$;
comment on function cctv.events_between(bigint, bigint, integer, integer[], text[], text) is
	'Events after one number up to another that a reader wants, in order';

create function cctv.alerts_since(seq bigint, n integer default 1000) returns setof cctv.event
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select e.*
	from (
		select a.seq, a.published_at, 'alert', a.at, a.camera_id, c.name, a.alert_type, a.severity, a.label,
			a.confidence, a.description, a.alert_id, null::bigint, a.x, a.y, a.w, a.h, a.snapshot
		from cctv.alerts as a
			join cctv.cameras as c using (camera_id)
		where a.seq > alerts_since.seq
		order by a.seq
		limit n) as e
$$;
comment on function cctv.alerts_since(bigint, integer) is
	'Alerts after a number, in order: for clients that remember the last number they have seen';

create function cctv.create_consumer(
	consumer text,
	after bigint default null,
	cameras integer[] default null,
	types text[] default null,
	min_severity text default 'info') returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_variable
begin
	if after > cctv.last_seq() then
		raise exception 'event % does not exist yet', after
			using errcode = 'invalid_parameter_value';
	end if;
	insert into cctv.consumers (consumer, position, cameras, types, min_severity)
		values (consumer, coalesce(after, cctv.last_seq()), cameras, types, min_severity);
end
$$;
comment on function cctv.create_consumer(text, bigint, integer[], text[], text) is
	'Adds a consumer of events after this number, 0 for all there are; by default of those to come';

create function cctv.drop_consumer(consumer text) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	delete from cctv.consumers as c where c.consumer = drop_consumer.consumer;
	if not found then
		perform cctv.locked_consumer(consumer);
	end if;
end
$$;
comment on function cctv.drop_consumer(text) is 'Removes a consumer';

create function cctv.locked_consumer(consumer text) returns cctv.consumers
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	c cctv.consumers;
begin
	select * into c from cctv.consumers as r where r.consumer = locked_consumer.consumer for no key update;
	if not found then
		raise exception 'consumer "%" does not exist', consumer
			using errcode = 'undefined_object',
				hint = 'Create it with: select cctv.create_consumer(''...'').';
	end if;
	return c;
end
$$;
comment on function cctv.locked_consumer(text) is 'A consumer, locked until the transaction has ended';

-- Two processes that share a consumer take turns when each of them consumes,
-- works and commits its offset in one transaction.
create function cctv.consume(consumer text, n integer default 100) returns setof cctv.event
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	c cctv.consumers := cctv.locked_consumer(consumer);
	-- Whoever sees this number in the counter sees all events up to it.
	upto bigint := cctv.last_seq();
begin
	if n is null or n < 1 then
		raise exception 'at least one event must be asked for'
			using errcode = 'invalid_parameter_value';
	end if;
	return query
		select * from cctv.events_between(c.position, upto, n, c.cameras, c.types, c.min_severity);
	if not found and upto > c.position then
		-- Nothing for this consumer so far: it need not be looked through again.
		update cctv.consumers as r set position = upto, updated_at = clock_timestamp()
			where r.consumer = consume.consumer;
	end if;
end
$$;
comment on function cctv.consume(text, integer) is
	'The next events of a consumer, the same ones until commit_offset() says that they are dealt with';

create function cctv.commit_offset(consumer text, seq bigint) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.locked_consumer(consumer);
	if seq is null or seq > cctv.last_seq() then
		raise exception 'event % does not exist yet', coalesce(seq::text, 'null')
			using errcode = 'invalid_parameter_value';
	end if;
	update cctv.consumers as c set position = seq, updated_at = clock_timestamp()
		where c.consumer = commit_offset.consumer and c.position < seq;
end
$$;
comment on function cctv.commit_offset(text, bigint) is
	'A consumer has dealt with all events up to this number; one lower than before changes nothing';

create function cctv.seek(consumer text, seq bigint) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	perform cctv.locked_consumer(consumer);
	if seq is null or seq < 0 or seq > cctv.last_seq() then
		raise exception 'position % is not from 0 to %', coalesce(seq::text, 'null'), cctv.last_seq()
			using errcode = 'invalid_parameter_value';
	end if;
	update cctv.consumers as c set position = seq, updated_at = clock_timestamp()
		where c.consumer = seek.consumer;
end
$$;
comment on function cctv.seek(text, bigint) is 'Sets a consumer back or forward: the event after this number is its next';

-- Numbers and published_at rise together, so this is a binary search.
create function cctv.seek(consumer text, at timestamptz) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	low bigint := 0;
	high bigint := cctv.last_seq() + 1;
	middle bigint;
	probe record;
begin
	if at is null then
		raise exception 'time must not be null'
			using errcode = 'invalid_parameter_value';
	end if;
	-- All up to low are before, all from high on are not.
	while high - low > 1 loop
		middle := low + (high - low) / 2;
		select * into probe from (
			(select a.seq, a.published_at from cctv.alerts as a
				where a.seq >= middle and a.seq < high order by a.seq limit 1)
			union all
			(select s.seq, s.published_at from cctv.camera_events as s
				where s.seq >= middle and s.seq < high order by s.seq limit 1)) as e
			order by e.seq limit 1;
		if found and probe.published_at < at then
			low := probe.seq;
		else
			high := middle;
		end if;
	end loop;
	perform cctv.seek(consumer, low);
	return low;
end
$$;
comment on function cctv.seek(text, timestamptz) is
	'Sets a consumer to the first event published at this time or later; returns its position';

create view cctv.v_consumers as
select c.consumer,
	c.position,
	cctv.last_seq() - c.position as behind,
	c.cameras is not null or c.types is not null or c.min_severity <> 'info' as filtered,
	c.updated_at
from cctv.consumers as c;
comment on view cctv.v_consumers is 'Consumers and how far behind they are';
comment on column cctv.v_consumers.consumer is 'Name';
comment on column cctv.v_consumers.position is 'Number of the newest event that is dealt with';
comment on column cctv.v_consumers.behind is 'Events published since, also those it does not want';
comment on column cctv.v_consumers.filtered is 'Does it want some events only?';
comment on column cctv.v_consumers.updated_at is 'When its position last changed';
