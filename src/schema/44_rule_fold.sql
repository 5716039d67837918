-- The fold: reports go in, alerts come out, and what has to be remembered.

create type cctv.rule_memory as (
	states cctv.rule_state[],
	crowds cctv.crowd_state[],
	cooldowns cctv.rule_cooldown[],
	windows cctv.rule_window[]
);
comment on type cctv.rule_memory is 'All that rules remember between batches';
comment on column cctv.rule_memory.states is 'Of tracks';
comment on column cctv.rule_memory.crowds is 'Of crowds';
comment on column cctv.rule_memory.cooldowns is 'Of alerts raised';
comment on column cctv.rule_memory.windows is 'Of schedules';

create type cctv.hit as (
	rule_id integer,
	camera_id integer,
	track_id bigint,
	at timestamptz,
	label text,
	confidence real,
	x real,
	y real,
	w real,
	h real,
	stayed interval,
	size integer
);
comment on type cctv.hit is 'An alert that a rule raises';
comment on column cctv.hit.rule_id is 'Rule';
comment on column cctv.hit.camera_id is 'Camera';
comment on column cctv.hit.track_id is 'Track, when it is about an object';
comment on column cctv.hit.at is 'Time of the frame';
comment on column cctv.hit.label is 'What the object is';
comment on column cctv.hit.confidence is 'Confidence of the detection';
comment on column cctv.hit.x is 'Left edge, as a fraction of the frame''s width';
comment on column cctv.hit.y is 'Top edge, as a fraction of the frame''s height';
comment on column cctv.hit.w is 'Width, as a fraction of the frame''s';
comment on column cctv.hit.h is 'Height, as a fraction of the frame''s';
comment on column cctv.hit.stayed is 'How long the object has been there, or the camera away';
comment on column cctv.hit.size is 'How many such objects are there';

-- Whether a rule's schedules let it raise alerts, from one instant to another,
-- both included.
create function cctv.rule_windows(
	rule integer,
	camera integer,
	version text,
	from_at timestamptz,
	upto timestamptz) returns setof cctv.rule_window
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	w cctv.rule_window;
begin
	w := row(rule, camera, version, from_at, null, null);
	loop
		select coalesce(min(cctv.schedule_edge(s, cctv.zone_of(s, camera), w.begins_at)), 'infinity') into w.ends_at
			from cctv.schedules_of(camera, 'rule', rule) as s;
		w.is_on := cctv.is_scheduled(camera, 'rule', w.begins_at, rule);
		return next w;
		exit when w.ends_at > upto;
		w.begins_at := w.ends_at;
	end loop;
end
$$;
comment on function cctv.rule_windows(integer, integer, text, timestamptz, timestamptz) is
	'Whether a rule''s schedules let it raise alerts, from one instant to another';

-- Apply rules about objects to reports, which come in the order of their time
-- for each camera.  memory holds what was remembered of the tracks and cameras
-- of these reports, and comes back with what is to be remembered: states that
-- have changed, all crowds and cooldowns that took part.
create function cctv.fold_reports(
	rules cctv.alert_rules[],
	reports cctv.report[],
	inout memory cctv.rule_memory,
	out hits cctv.hit[])
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	set jit = off
	as $$
begin
	with camera as materialized (
		select c.camera_id, c.labels, c.min_confidence, c.time_zone, r.from_at, r.upto
		from cctv.cameras as c
			join (
				select p.camera_id, min(p.at) as from_at, max(p.at) as upto
				from unnest(reports) as p
				group by p.camera_id) as r using (camera_id)
	), schedule as materialized (
		-- Tells whether the schedules of a rule are what they were.
		select s.rule_id, string_agg(s.schedule_id || ':' || s.xmin::text, ' ' order by s.schedule_id) as version
		from cctv.schedules as s
		where s.rule_id = any (select r.rule_id from unnest(rules) as r) and s.enabled
		group by s.rule_id
	), rule as materialized (
		select r.rule_id, c.camera_id, coalesce(r.labels, c.labels) as labels,
			coalesce(r.min_confidence, c.min_confidence) as min_confidence,
			z.shape, l.points as line, coalesce(r.direction, l.direction) as direction,
			r.min_dwell, r.min_count, r.cooldown,
			r.line_id is not null or r.min_dwell > interval '0' or r.min_count > 1 as remembers,
			s.version || coalesce(' ' || c.time_zone, '') as version,
			c.from_at, c.upto
		from unnest(rules) as r
			join camera as c on r.camera_id is null or r.camera_id = c.camera_id
			left join cctv.zones as z on z.zone_id = r.zone_id
			left join cctv.zones as l on l.zone_id = r.line_id
			left join schedule as s on s.rule_id = r.rule_id
	), known as materialized (
		select w.*
		from rule as r
			join unnest(memory.windows) as w using (rule_id, camera_id, version)
		where w.begins_at <= r.from_at and w.ends_at > r.upto
	), learned as materialized (
		select w.*
		from rule as r, cctv.rule_windows(r.rule_id, r.camera_id, r.version, r.from_at, r.upto) as w
		where r.version is not null
			and not exists (select from known as k where k.rule_id = r.rule_id and k.camera_id = r.camera_id)
	), open as materialized (
		select * from known where is_on
		union all
		select * from learned where is_on
	), concern as not materialized (
		-- What concerns a rule, and is not over for it.
		select r.rule_id, r.remembers, r.version, r.min_dwell, r.min_count, r.line, r.direction, r.cooldown,
			p.camera_id, p.track_id, p.at, p.label, p.confidence, p.x, p.y, p.w, p.h, p.stationary,
			p.foot_x, p.foot_y, coalesce(r.shape @> point(p.foot_x, p.foot_y), true) as inside,
			s as earlier
		from (
			select p.*, (p.x + p.w / 2)::real as foot_x, least(p.y + p.h, 1)::real as foot_y
			from unnest(reports) as p
			offset 0) as p
			join rule as r on r.camera_id = p.camera_id
				and (r.labels is null or p.label = any (r.labels)) and p.confidence >= r.min_confidence
			left join unnest(memory.states) as s on s.rule_id = r.rule_id and s.track_id = p.track_id
		where s.done is not true
	), busy as materialized (
		-- Whoever stays inside, or stays outside, gives nothing to do until the time
		-- to dwell is over, and leaves nothing new to remember.
		select t.rule_id, t.track_id
		from (
			select c.rule_id, c.camera_id, c.track_id, (c.earlier).entered_at, (c.earlier).left_at,
				max(c.at) as last_at, bool_and(c.inside) as stays, bool_or(c.inside) as comes
			from concern as c
			group by c.rule_id, c.camera_id, c.track_id, (c.earlier).entered_at, (c.earlier).left_at) as t
			join rule as r using (rule_id, camera_id)
		where r.line is not null or r.min_count > 1 or case
				when t.entered_at is null then t.comes
				else not t.stays or t.left_at is not null or t.last_at - t.entered_at >= r.min_dwell
			end
	), sight as materialized (
		select * from concern join busy using (rule_id, track_id)
	), stay as materialized (
		select s.*, (s.stay).holds as holds, (s.stay).entered_at as entered_at,
			s.version is null or exists (
				select from open as o
				where o.rule_id = s.rule_id and o.camera_id = s.camera_id
					and o.begins_at <= s.at and o.ends_at > s.at) as on_schedule
		from (
			select s.*, cctv.stay_after(s.earlier, s.at, s.foot_x, s.foot_y, s.inside, s.min_dwell, s.line, s.direction)
					over (partition by s.rule_id, s.track_id order by s.at) as stay
			from sight as s) as s
	), alone as materialized (
		select distinct on (s.rule_id, s.track_id) s.*
		from stay as s
		where s.min_count = 1 and s.holds and s.on_schedule
		order by s.rule_id, s.track_id, s.at
	), crowd as materialized (
		select f.rule_id, f.camera_id, f.at, f.cooldown, f.min_dwell,
			cctv.crowd_after(c, f.at, f.seen, f.min_count, f.on_schedule)
				over (partition by f.rule_id, f.camera_id order by f.at) as crowd
		from (
			select s.rule_id, s.camera_id, s.at, s.min_count, s.min_dwell, s.cooldown, s.on_schedule,
				array_agg(row(s.track_id, s.at, s.entered_at, s.holds, s.stationary, null,
					s.label, s.confidence, s.x, s.y, s.w, s.h)::cctv.crowd_member) as seen
			from stay as s
			where s.min_count > 1
			group by s.rule_id, s.camera_id, s.at, s.min_count, s.min_dwell, s.cooldown, s.on_schedule) as f
			left join unnest(memory.crowds) as c on c.rule_id = f.rule_id and c.camera_id = f.camera_id
	), candidate as (
		select a.rule_id, a.camera_id, a.track_id, a.at, a.label, a.confidence, a.x, a.y, a.w, a.h,
			case when a.min_dwell > interval '0' then a.at - a.entered_at end as stayed, 1 as size, a.cooldown
		from alone as a
		union all
		select c.rule_id, c.camera_id, m.track_id, c.at, m.label, m.confidence, m.x, m.y, m.w, m.h,
			case when c.min_dwell > interval '0' then c.at - m.entered_at end, (c.crowd).size, c.cooldown
		from crowd as c, unnest(array[(c.crowd).raised]) as m
		where m.track_id is not null
	), cooled as materialized (
		select h.*, cctv.cooldown_after(d.last_at, h.at, h.cooldown)
				over (partition by h.rule_id, h.camera_id, h.label order by h.at, h.track_id
					rows unbounded preceding) as cooldown_state
		from candidate as h
			left join unnest(memory.cooldowns) as d
				on d.rule_id = h.rule_id and d.camera_id = h.camera_id and d.label = h.label
	), last_crowd as materialized (
		select distinct on (c.rule_id, c.camera_id) c.rule_id, c.camera_id, (c.crowd).members as members
		from crowd as c
		order by c.rule_id, c.camera_id, c.at desc
	)
	select
		(select array_agg(row(h.rule_id, h.camera_id, h.track_id, h.at, h.label, h.confidence, h.x, h.y, h.w, h.h,
				h.stayed, h.size)::cctv.hit order by h.at, h.rule_id, h.track_id)
			from cooled as h
			where (h.cooldown_state).raises),
		(select array_agg(row(s.track_id, s.rule_id, s.done, s.entered_at, s.left_at, s.x, s.y)::cctv.rule_state)
			from (
				select a.track_id, a.rule_id, true as done, null::timestamptz as entered_at,
					null::timestamptz as left_at, null::real as x, null::real as y
				from alone as a
				union all
				select s.track_id, s.rule_id, false, (s.stay).entered_at, (s.stay).left_at, (s.stay).x, (s.stay).y
				from (
					select distinct on (s.rule_id, s.track_id) s.*
					from stay as s
					where s.remembers
					order by s.rule_id, s.track_id, s.at desc) as s
				where not exists (select from alone as a where a.rule_id = s.rule_id and a.track_id = s.track_id)) as s),
		(select array_agg(row(c.rule_id, c.camera_id, c.members)::cctv.crowd_state) from last_crowd as c),
		(select array_agg(row(d.rule_id, d.camera_id, d.label, d.last_at, null)::cctv.rule_cooldown)
			from (
				select distinct on (h.rule_id, h.camera_id, h.label) h.rule_id, h.camera_id, h.label,
					(h.cooldown_state).last_at as last_at
				from cooled as h
				where h.cooldown > interval '0'
				order by h.rule_id, h.camera_id, h.label, h.at desc, h.track_id desc) as d),
		(select array_agg(l::cctv.rule_window) from learned as l join rule as r using (rule_id, camera_id) where l.ends_at > r.upto)
		into hits, memory.states, memory.crowds, memory.cooldowns, memory.windows;
end
$$;
comment on function cctv.fold_reports(cctv.alert_rules[], cctv.report[], cctv.rule_memory) is
	'Applies rules to reports: the alerts they raise, and what is to be remembered';
