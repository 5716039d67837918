-- Steps of the alert rules, and what they remember.
--
-- A rule is a fold over what a camera reports, in the order of its time.  The
-- steps are aggregates, run as window functions, so that the same lines serve a
-- batch from a running camera, whose memory waits in the tables here, and a
-- backtest, which begins with none.  They know no clock but that of the
-- reports: how these are cut into batches makes no difference.

create type cctv.report as (
	track_id bigint,
	camera_id integer,
	at timestamptz,
	label text,
	confidence real,
	x real,
	y real,
	w real,
	h real,
	stationary boolean,
	snapshot text,
	decoded_at timestamptz,
	inference_ms real
);
comment on type cctv.report is 'A detection as the alert rules see it';
comment on column cctv.report.track_id is 'Track';
comment on column cctv.report.camera_id is 'Camera';
comment on column cctv.report.at is 'Time of the frame';
comment on column cctv.report.label is 'What it is';
comment on column cctv.report.confidence is 'Confidence';
comment on column cctv.report.x is 'Left edge, as a fraction of the frame''s width';
comment on column cctv.report.y is 'Top edge, as a fraction of the frame''s height';
comment on column cctv.report.w is 'Width, as a fraction of the frame''s';
comment on column cctv.report.h is 'Height, as a fraction of the frame''s';
comment on column cctv.report.stationary is 'Has it stopped moving?';
comment on column cctv.report.snapshot is 'Picture of it, if this report brings one';
comment on column cctv.report.decoded_at is 'When the frame left the decoder';
comment on column cctv.report.inference_ms is 'Milliseconds of inference spent on the frame';

create table cctv.rule_state (
	track_id bigint not null,
	rule_id integer not null references cctv.alert_rules on delete cascade,
	done boolean not null,
	entered_at timestamptz,
	left_at timestamptz,
	x real,
	y real,
	primary key (track_id, rule_id)
) with (fillfactor = 50);
comment on table cctv.rule_state is 'What rules remember of the tracks that are followed';
comment on column cctv.rule_state.track_id is 'Track';
comment on column cctv.rule_state.rule_id is 'Rule';
comment on column cctv.rule_state.done is 'Has the rule raised its alert about it, or kept quiet for its cooldown?';
comment on column cctv.rule_state.entered_at is 'When the object came to where the rule looks';
comment on column cctv.rule_state.left_at is 'When it was first seen elsewhere since';
comment on column cctv.rule_state.x is 'Where it last stood';
comment on column cctv.rule_state.y is 'Where it last stood';

create type cctv.crowd_member as (
	track_id bigint,
	at timestamptz,
	entered_at timestamptz,
	holds boolean,
	stationary boolean,
	done boolean,
	label text,
	confidence real,
	x real,
	y real,
	w real,
	h real
);
comment on type cctv.crowd_member is 'The last report of an object that may be part of a crowd';
comment on column cctv.crowd_member.track_id is 'Track';
comment on column cctv.crowd_member.at is 'Time of the report';
comment on column cctv.crowd_member.entered_at is 'When it came to where the rule looks';
comment on column cctv.crowd_member.holds is 'Does it fulfil what the rule asks of one object?';
comment on column cctv.crowd_member.stationary is 'Had it stopped moving?';
comment on column cctv.crowd_member.done is 'Was it part of a crowd already?';
comment on column cctv.crowd_member.label is 'What it is';
comment on column cctv.crowd_member.confidence is 'Confidence';
comment on column cctv.crowd_member.x is 'Left edge, as a fraction of the frame''s width';
comment on column cctv.crowd_member.y is 'Top edge, as a fraction of the frame''s height';
comment on column cctv.crowd_member.w is 'Width, as a fraction of the frame''s';
comment on column cctv.crowd_member.h is 'Height, as a fraction of the frame''s';

create table cctv.crowd_state (
	rule_id integer not null references cctv.alert_rules on delete cascade,
	camera_id integer not null references cctv.cameras on delete cascade,
	members cctv.crowd_member[] not null,
	primary key (rule_id, camera_id)
) with (fillfactor = 50);
comment on table cctv.crowd_state is 'Who is there, for rules that count';
comment on column cctv.crowd_state.rule_id is 'Rule';
comment on column cctv.crowd_state.camera_id is 'Camera';
comment on column cctv.crowd_state.members is 'Objects that were there a moment ago';

create table cctv.rule_cooldown (
	rule_id integer not null references cctv.alert_rules on delete cascade,
	camera_id integer not null references cctv.cameras on delete cascade,
	label text not null,
	last_at timestamptz not null,
	seen_at timestamptz,
	primary key (rule_id, camera_id, label)
) with (fillfactor = 50);
comment on table cctv.rule_cooldown is 'When rules last raised an alert';
comment on column cctv.rule_cooldown.rule_id is 'Rule';
comment on column cctv.rule_cooldown.camera_id is 'Camera';
comment on column cctv.rule_cooldown.label is 'Label, empty when it is about the camera itself';
comment on column cctv.rule_cooldown.last_at is 'Time of the last alert';
comment on column cctv.rule_cooldown.seen_at is 'Time of the last absence that the rule has judged, when it is about the camera itself';

-- To work out whether a schedule is on costs more than all the rest of a rule,
-- so it is done once a window.  version tells of a change of the schedules: no
-- trigger could do that without a lock that makes ingest wait for somebody's
-- open transaction.
create table cctv.rule_window (
	rule_id integer not null references cctv.alert_rules on delete cascade,
	camera_id integer not null references cctv.cameras on delete cascade,
	version text not null,
	begins_at timestamptz not null,
	ends_at timestamptz not null,
	is_on boolean not null,
	primary key (rule_id, camera_id)
) with (fillfactor = 50);
comment on table cctv.rule_window is 'Whether the schedules of rules are on, and from when to when that is known';
comment on column cctv.rule_window.rule_id is 'Rule';
comment on column cctv.rule_window.camera_id is 'Camera';
comment on column cctv.rule_window.version is 'Of the schedules, when this was worked out';
comment on column cctv.rule_window.begins_at is 'From when this holds';
comment on column cctv.rule_window.ends_at is 'Until when this holds';
comment on column cctv.rule_window.is_on is 'Do the schedules let the rule raise alerts?';

-- One object: how it stands to a rule after a report.

create type cctv.stay as (
	entered_at timestamptz,
	left_at timestamptz,
	x real,
	y real,
	holds boolean
);
comment on type cctv.stay is 'How an object stands to a rule after a report';
comment on column cctv.stay.entered_at is 'When it came to where the rule looks';
comment on column cctv.stay.left_at is 'When it was first seen elsewhere since';
comment on column cctv.stay.x is 'Where it stands: the bottom centre of its box';
comment on column cctv.stay.y is 'Where it stands: the bottom centre of its box';
comment on column cctv.stay.holds is 'Does all that the rule asks of one object hold?';

-- state is from the report before, earlier from the batch before.  An object
-- that was elsewhere for no longer than a second has not left: the edges of a
-- box tremble.
create function cctv.stay_step(
	state cctv.stay,
	earlier cctv.rule_state,
	at timestamptz,
	x real,
	y real,
	inside boolean,
	min_dwell interval,
	line real[],
	direction text) returns cctv.stay
	language plpgsql immutable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	crossing integer;
begin
	if state.holds is null then
		state.entered_at := earlier.entered_at;
		state.left_at := earlier.left_at;
		state.x := earlier.x;
		state.y := earlier.y;
	end if;
	if inside then
		if state.entered_at is null or at - state.left_at > interval '1 second' then
			state.entered_at := at;
		end if;
		state.left_at := null;
	else
		state.left_at := coalesce(state.left_at, at);
	end if;
	state.holds := inside and at - state.entered_at >= min_dwell;
	if line is not null then
		crossing := coalesce(cctv.line_crossing(line, state.x, state.y, x, y), 0);
		state.holds := state.holds and case direction
			when 'left_to_right' then crossing > 0
			when 'right_to_left' then crossing < 0
			else crossing <> 0
		end;
	end if;
	state.x := x;
	state.y := y;
	return state;
end
$$;
comment on function cctv.stay_step(cctv.stay, cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text) is
	'Step of cctv.stay_after: one report of one object';

create aggregate cctv.stay_after(cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text) (
	sfunc = cctv.stay_step,
	stype = cctv.stay
);
comment on aggregate cctv.stay_after(cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text) is
	'How an object stands to a rule after its reports so far';

-- A crowd: all objects of a camera after a frame.

create type cctv.crowd as (
	members cctv.crowd_member[],
	raised cctv.crowd_member,
	size integer
);
comment on type cctv.crowd is 'Who is there after a frame';
comment on column cctv.crowd.members is 'Objects that are there, and those that were a moment ago';
comment on column cctv.crowd.raised is 'Object that has completed or joined a crowd with this frame';
comment on column cctv.crowd.size is 'How many are there';

-- A moving object is reported in every frame, a stationary one every 10 s: for
-- a little longer it is still there, whatever has become of it since.  A crowd
-- is reported once for those who make it up; a newcomer makes it a new one.
create function cctv.crowd_step(
	state cctv.crowd,
	earlier cctv.crowd_state,
	at timestamptz,
	seen cctv.crowd_member[],
	min_count integer,
	scheduled boolean) returns cctv.crowd
	language plpgsql immutable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	before cctv.crowd_member[] := coalesce(state.members, earlier.members);
begin
	select array_agg(m::cctv.crowd_member order by m.track_id), count(*) filter (where m.holds)
		into state.members, state.size
		from (
			select s.track_id, s.at, s.entered_at, s.holds, s.stationary, coalesce(b.done, false) as done,
				s.label, s.confidence, s.x, s.y, s.w, s.h
			from unnest(seen) as s
				left join unnest(before) as b using (track_id)
			union all
			select b.*
			from unnest(before) as b
			where crowd_step.at - b.at
					between interval '0' and case when b.stationary then interval '12 s' else interval '3 s' end
				and not exists (select from unnest(seen) as s where s.track_id = b.track_id)) as m;
	state.raised := null;
	if scheduled and state.size >= min_count then
		select m::cctv.crowd_member into state.raised
			from unnest(state.members) as m
			where m.holds and not m.done
			order by m.entered_at desc, m.track_id desc
			limit 1;
		state.members := array(
			select row(m.track_id, m.at, m.entered_at, m.holds, m.stationary, m.done or m.holds,
				m.label, m.confidence, m.x, m.y, m.w, m.h)::cctv.crowd_member
			from unnest(state.members) as m);
	end if;
	return state;
end
$$;
comment on function cctv.crowd_step(cctv.crowd, cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean) is
	'Step of cctv.crowd_after: one frame of one camera';

create aggregate cctv.crowd_after(cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean) (
	sfunc = cctv.crowd_step,
	stype = cctv.crowd
);
comment on aggregate cctv.crowd_after(cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean) is
	'Who is there after a camera''s frames so far';

-- The cooldown: when a rule last raised an alert, and whether it does now.  An
-- alert of a later time is of a clock that was set back since, or of another
-- run of a file: it keeps nothing quiet.

create type cctv.cooldown as (
	last_at timestamptz,
	raises boolean
);
comment on type cctv.cooldown is 'State of a rule''s cooldown after a hit';
comment on column cctv.cooldown.last_at is 'When the rule last raised an alert';
comment on column cctv.cooldown.raises is 'Does the hit raise one?';

create function cctv.cooldown_step(
	state cctv.cooldown,
	earlier timestamptz,
	at timestamptz,
	cooldown interval) returns cctv.cooldown
	language plpgsql immutable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	last_at timestamptz := coalesce(state.last_at, earlier);
begin
	state.raises := last_at is null or at < last_at or at - last_at >= cooldown;
	state.last_at := case when state.raises then at else last_at end;
	return state;
end
$$;
comment on function cctv.cooldown_step(cctv.cooldown, timestamptz, timestamptz, interval) is
	'Step of cctv.cooldown_after: one hit of a rule';

create aggregate cctv.cooldown_after(timestamptz, timestamptz, interval) (
	sfunc = cctv.cooldown_step,
	stype = cctv.cooldown
);
comment on aggregate cctv.cooldown_after(timestamptz, timestamptz, interval) is
	'State of a rule''s cooldown after its hits so far';
