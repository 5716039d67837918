-- Absences: cameras that should be there and are not.
--
-- An absence begins when a camera starts, reconnects or fails, and ends when it
-- runs, finishes or is stopped.  Its alert is of the instant at which it has
-- lasted as long as the rule grants (and its schedules hold), whenever that is
-- noticed, so history tells the same as the running system.

create type cctv.absence as (
	camera_id integer,
	lost_at timestamptz,
	ended_at timestamptz,
	recovered boolean
);
comment on type cctv.absence is 'A time in which a camera was not there';
comment on column cctv.absence.camera_id is 'Camera';
comment on column cctv.absence.lost_at is 'When it was lost';
comment on column cctv.absence.ended_at is 'When that ended, null when it has not';
comment on column cctv.absence.recovered is 'Did it end because the camera was there again?';

-- Absences of cameras that end after from_at, up to and including upto.
create function cctv.absences(cameras integer[], from_at timestamptz, upto timestamptz)
	returns setof cctv.absence
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	with event as (
		select e.camera_id, e.at, e.event_id, e.state, e.state in ('running', 'stopped', 'finished') as is_well
		from unnest(cameras) as c (camera_id),
			lateral (
				-- From the last time when all was well.
				select coalesce(max(e.at), '-infinity') as at
				from cctv.camera_events as e
				where e.camera_id = c.camera_id and e.at <= from_at
					and e.state in ('running', 'stopped', 'finished')) as well,
			lateral (
				select * from cctv.camera_events as e
				where e.camera_id = c.camera_id and e.at >= well.at and e.at <= upto) as e
	), numbered as (
		select *, count(*) filter (where is_well) over (partition by camera_id order by at, event_id) as n
		from event
	), absence as (
		select camera_id, n, min(at) filter (where not is_well) as lost_at,
			min(at) filter (where is_well) as began_well, bool_or(state = 'running') as began_running
		from numbered
		group by camera_id, n
	)
	select a.camera_id, a.lost_at, next.began_well, coalesce(next.began_running, false)
	from absence as a
		left join absence as next on next.camera_id = a.camera_id and next.n = a.n + 1
	where a.lost_at is not null and (next.began_well is null or next.began_well > from_at)
$$;
comment on function cctv.absences(integer[], timestamptz, timestamptz) is
	'Absences of cameras that end after one time, as known at another';

-- Apply rules about cameras' absences to their history between two times.  From
-- null stands for what each rule has not seen yet, as cooldowns tell.
create function cctv.fold_absences(
	rules cctv.alert_rules[],
	cameras integer[],
	from_at timestamptz,
	upto timestamptz,
	inout cooldowns cctv.rule_cooldown[],
	out hits cctv.hit[])
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
begin
	with due as (
		select r.rule_id, a.camera_id, r.cooldown, a.lost_at, r.source, coalesce(from_at, r.updated_at) as from_at,
			coalesce(a.ended_at, upto) as ended_at,
			case r.source when 'camera_offline' then a.lost_at + r.min_dwell else a.ended_at end as at
		from unnest(rules) as r
			join cctv.absences(cameras, coalesce(from_at, upto - interval '1 day'), upto) as a
				on r.camera_id is null or r.camera_id = a.camera_id
		where case r.source
			when 'camera_offline' then a.lost_at + r.min_dwell <= coalesce(a.ended_at, upto)
			when 'camera_recovered' then a.recovered and a.ended_at - a.lost_at >= r.min_dwell
			else false
		end
	), scheduled as (
		-- An absence that the rule's schedules meet later on is reported then.
		select d.*, t.scheduled_at
		from due as d,
			lateral (
				select case
					when cctv.is_scheduled(d.camera_id, 'rule', d.at, d.rule_id) then d.at
					when d.source = 'camera_offline' then cctv.scheduled_until(d.camera_id, 'rule', d.at, d.rule_id)
				end as scheduled_at) as t
		where t.scheduled_at <= d.ended_at
	), cooled as materialized (
		select s.*, cctv.cooldown_after(c.last_at, s.scheduled_at, s.cooldown)
				over (partition by s.rule_id, s.camera_id order by s.scheduled_at) as cooldown_state
		from scheduled as s
			left join unnest(cooldowns) as c on c.rule_id = s.rule_id and c.camera_id = s.camera_id
		-- One that was seen in the future is of a clock that was set back since.
		where s.scheduled_at > greatest(case when c.seen_at <= upto then c.seen_at end, s.from_at)
	)
	select
		(select array_agg(row(c.rule_id, c.camera_id, null, c.scheduled_at, null, null, null, null, null, null,
				c.scheduled_at - c.lost_at, null)::cctv.hit order by c.scheduled_at, c.rule_id, c.camera_id)
			from cooled as c
			where (c.cooldown_state).raises),
		(select array_agg(row(c.rule_id, c.camera_id, '', c.last_at, c.seen_at)::cctv.rule_cooldown)
			from (
				select c.rule_id, c.camera_id, max((c.cooldown_state).last_at) as last_at, max(c.scheduled_at) as seen_at
				from cooled as c
				group by c.rule_id, c.camera_id) as c)
		into hits, cooldowns;
end
$$;
comment on function cctv.fold_absences(cctv.alert_rules[], integer[], timestamptz, timestamptz, cctv.rule_cooldown[]) is
	'Applies rules about cameras'' absences to their history: the alerts they raise, and what is to be remembered';

-- Tell people of cameras that have been away for ten seconds, and of those that
-- are back.
create function cctv.notify_of_absences(cameras integer[], notify boolean) returns bigint
	language sql
	set search_path = pg_catalog, pg_temp
	as $$
	select cctv.raise_notifications(array_agg(row(null, null,
			case when s.state = 'running' then 'success' else 'warning' end,
			case when s.state = 'running' then 'camera_found' else 'camera_lost' end,
			s.camera_id, null,
			case when s.state = 'running' then format('camera "%s" is back', c.name)
				else concat_ws(': ', format('camera "%s" is lost', c.name), s.message)
			end)::cctv.notifications order by s.camera_id), notify)
	from cctv.camera_status as s
		join cctv.cameras as c using (camera_id),
		lateral (
			select coalesce((
				select n.topic from cctv.notifications as n
				where n.camera_id = s.camera_id and n.topic in ('camera_lost', 'camera_found')
				order by n.notification_id desc limit 1), 'camera_found') as topic) as said
	where s.camera_id = any (cameras)
		and (s.state = 'running' and said.topic = 'camera_lost'
			or s.state in ('reconnecting', 'error') and said.topic = 'camera_found' and s.since <= now() - interval '10 seconds')
$$;
comment on function cctv.notify_of_absences(integer[], boolean) is 'Raises notifications of cameras that are lost, and back';

-- Look after the absences of cameras: those given, else all that are not there
-- now.  Called after every change of state and every few seconds.  Returns the
-- number of announcements.
create function cctv.watch_absences(changed integer[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	cameras integer[];
	rules cctv.alert_rules[];
	folded record;
	announced bigint;
begin
	select array_agg(s.camera_id) into cameras
		from cctv.camera_status as s
		where s.camera_id = any (changed)
			or changed is null and s.state in ('starting', 'reconnecting', 'error');
	if cameras is null then
		return 0;
	end if;
	announced := cctv.notify_of_absences(cameras, notify);
	select array_agg(r) into rules
		from cctv.alert_rules as r
		where r.enabled and r.source <> 'objects' and (r.camera_id is null or r.camera_id = any (cameras));
	if rules is not null then
		select * into folded from cctv.fold_absences(rules, cameras, null, clock_timestamp(),
			(select array_agg(d) from cctv.rule_cooldown as d where d.camera_id = any (cameras) and d.label = ''));
		perform cctv.remember_cooldowns(folded.cooldowns);
		announced := announced + cctv.raise_alerts(folded.hits, rules, null, notify);
	end if;
	update cctv.alerts as a set ended_at = s.since
		from cctv.camera_status as s
		where s.camera_id = any (cameras) and s.state in ('running', 'stopped', 'finished')
			and a.camera_id = s.camera_id and a.track_id is null and a.ended_at is null;
	return announced;
end
$$;
comment on function cctv.watch_absences(integer[], boolean) is
	'Raises alerts and notifications of cameras that are away or back; returns their number';
