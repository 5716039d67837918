-- Alert rules, as people call them.

-- The rules that most people want.
create function cctv.default_rules(camera integer) returns setof cctv.alert_rules
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	names text;
begin
	perform cctv.checked_camera(camera, 'manage');
	return query
		insert into cctv.alert_rules (name, camera_id, source, alert_type, severity, labels, min_confidence, min_dwell,
				cooldown)
		values
			('object', camera, 'objects', null, 'warning', null, null, '0', '0'),
			('tamper', camera, 'objects', 'tamper', 'critical', '{blocked,moved,defocused}', 0, '0', '5 minutes'),
			('offline', camera, 'camera_offline', null, 'warning', null, null, '30 seconds', '5 minutes')
		on conflict do nothing
		returning *;
	select string_agg(format('"%s"', r.name), ', ' order by r.rule_id) into names
		from cctv.alert_rules as r
		where r.camera_id = camera;
	raise notice 'camera "%" has the alert rules %', (select c.name from cctv.cameras as c where c.camera_id = camera), names
		using hint = 'See and change them in cctv.alert_rules.';
end
$$;
comment on function cctv.default_rules(integer) is
	'Gives a camera the alert rules that most people want: one alert for every object it is asked for, one when its view is tampered with, one when it is away; returns those added';

create function cctv.default_rules(camera text) returns setof cctv.alert_rules
	language sql
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.default_rules(cctv.camera_id(camera)) $$;
comment on function cctv.default_rules(text) is
	'Gives a camera the alert rules that most people want; returns those added';

create function cctv.add_rule(
	name text,
	camera integer,
	alert_type text default null,
	severity text default 'warning',
	labels text[] default null,
	min_confidence real default null,
	zone text default null,
	line text default null,
	direction text default null,
	min_dwell interval default '0',
	min_count integer default 1,
	cooldown interval default '0',
	source text default 'objects',
	enabled boolean default true) returns integer
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_column
declare
	added integer;
	unknown text;
begin
	-- What the engine says of a view is no model's.
	select l into unknown
		from unnest(labels) as l
		where l not in ('blocked', 'moved', 'defocused')
			and not exists (select from cctv.models as m where l = any (m.labels))
		limit 1;
	if found then
		raise exception 'no model knows the label "%"', unknown
			using errcode = 'invalid_parameter_value',
				hint = (
					select 'Known labels: ' || coalesce(string_agg(distinct l, ', ' order by l), 'none') || '.'
					from cctv.models as m, unnest(m.labels) as l);
	end if;
	if camera is not null then
		perform cctv.checked_camera(camera, 'manage');
	elsif zone is not null or line is not null then
		raise exception 'a zone or line is of one camera'
			using errcode = 'invalid_parameter_value',
				hint = 'Name the camera, too.';
	end if;
	insert into cctv.alert_rules (name, camera_id, source, alert_type, severity, labels, min_confidence, zone_id,
			line_id, direction, min_dwell, min_count, cooldown, enabled)
		values (add_rule.name, add_rule.camera, add_rule.source, add_rule.alert_type, add_rule.severity, add_rule.labels,
			add_rule.min_confidence,
			case when zone is not null then cctv.zone_id(camera, zone) end,
			case when line is not null then cctv.zone_id(camera, line) end,
			add_rule.direction, add_rule.min_dwell, add_rule.min_count, add_rule.cooldown, add_rule.enabled)
		returning rule_id into added;
	return added;
end
$$;
comment on function cctv.add_rule(text, integer, text, text, text[], real, text, text, text, interval, integer, interval, text, boolean) is
	'Adds an alert rule for a camera, or for all when none is named; returns its key';

create function cctv.add_rule(
	name text,
	camera text default null,
	alert_type text default null,
	severity text default 'warning',
	labels text[] default null,
	min_confidence real default null,
	zone text default null,
	line text default null,
	direction text default null,
	min_dwell interval default '0',
	min_count integer default 1,
	cooldown interval default '0',
	source text default 'objects',
	enabled boolean default true) returns integer
	language sql
	set search_path = pg_catalog, pg_temp
	as $$
	select cctv.add_rule(name, case when camera is not null then cctv.camera_id(camera) end, alert_type, severity,
		labels, min_confidence, zone, line, direction, min_dwell, min_count, cooldown, source, enabled)
$$;
comment on function cctv.add_rule(text, text, text, text, text[], real, text, text, text, interval, integer, interval, text, boolean) is
	'Adds an alert rule for a camera, or for all when none is named; returns its key';

create function cctv.remove_rule(rule integer) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	delete from cctv.alert_rules as r where r.rule_id = rule;
	if not found then
		if exists (select from cctv.alert_rules as r where r.rule_id = rule) then
			raise exception 'permission denied to remove rule %', rule
				using errcode = 'insufficient_privilege',
					hint = 'The owner of its camera and the members of cctv_admin may; one of every camera is of cctv_admin.';
		end if;
		raise exception 'rule % does not exist', rule
			using errcode = 'undefined_object',
				hint = 'See them with: select * from cctv.alert_rules.';
	end if;
end
$$;
comment on function cctv.remove_rule(integer) is 'Removes an alert rule; its alerts stay';

create function cctv.acknowledge(alert_id bigint, note text default null) returns boolean
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_column
begin
	update cctv.alerts as a
		set acknowledged_at = now(), acknowledged_by = quote_ident(current_user)::regrole, note = acknowledge.note
		where a.alert_id = acknowledge.alert_id and a.acknowledged_at is null;
	if found then
		return true;
	end if;
	perform from cctv.alerts as a where a.alert_id = acknowledge.alert_id;
	if not found then
		raise exception 'alert % does not exist', acknowledge.alert_id
			using errcode = 'undefined_object';
	end if;
	-- A camera that was removed does not exist for checked_camera().
	perform cctv.checked_camera(a.camera_id, 'operate') from cctv.alerts as a
		where a.alert_id = acknowledge.alert_id and a.camera_id not in (select cctv.my_cameras('operate'));
	return false;
end
$$;
comment on function cctv.acknowledge(bigint, text) is
	'Notes who has seen an alert, when, and what they say; false when somebody had before, which stays';

-- An operator may update these columns by themselves: for them it is all the
-- same who they say they are, and when.  It fires for no update of the worker's.
create function cctv.alert_acknowledged() returns trigger
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	if pg_has_role('cctv_admin', 'usage') then
		return new;
	end if;
	if old.acknowledged_at is not null then
		raise exception 'alert % has been acknowledged before', old.alert_id
			using errcode = 'object_not_in_prerequisite_state',
				detail = format('By %s, %s.', old.acknowledged_by, old.acknowledged_at);
	end if;
	new.acknowledged_at := now();
	new.acknowledged_by := quote_ident(current_user)::regrole;
	return new;
end
$$;
comment on function cctv.alert_acknowledged() is 'Trigger: an alert is acknowledged once, now, by who does it';

create trigger alert_acknowledged before update of acknowledged_at, acknowledged_by, note on cctv.alerts
	for each row execute function cctv.alert_acknowledged();
comment on trigger alert_acknowledged on cctv.alerts is 'An alert is acknowledged once, now, by who does it';

-- What a rule would have raised, or raised, between two times.  It reads history
-- a few minutes at a time and carries along what the running system would
-- remember.
create function cctv.backtest(rule cctv.alert_rules, from_at timestamptz, upto timestamptz) returns setof cctv.hit
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	set plan_cache_mode = force_custom_plan
	as $$
declare
	rules cctv.alert_rules[];
	memory cctv.rule_memory;
	reports cctv.report[];
	folded record;
	seen_upto timestamptz := from_at;
	next_upto timestamptz;
	raised bigint[] := '{}';
begin
	if from_at is null or upto is null or from_at > upto then
		raise exception 'a backtest needs two times in order'
			using errcode = 'invalid_parameter_value';
	end if;
	-- A row that was made by hand may leave out what has a default.
	rule.rule_id := coalesce(rule.rule_id, 0);
	rule.source := coalesce(rule.source,
		case when rule.alert_type in ('camera_offline', 'camera_recovered') then rule.alert_type else 'objects' end);
	rule.min_dwell := coalesce(rule.min_dwell, '0');
	rule.min_count := coalesce(rule.min_count, 1);
	rule.cooldown := coalesce(rule.cooldown, '0');
	rules := array[rule];
	if rule.source <> 'objects' then
		select * into folded from cctv.fold_absences(rules,
			array(select c.camera_id from cctv.cameras as c where rule.camera_id is null or c.camera_id = rule.camera_id),
			from_at, upto, null);
		return query select * from unnest(folded.hits);
		return;
	end if;
	loop
		-- About ten thousand reports, and never half a frame.
		select d.at into next_upto
			from cctv.detections as d
			where d.at >= seen_upto and d.at < upto and (rule.camera_id is null or d.camera_id = rule.camera_id)
			order by d.at
			limit 1 offset 10000;
		next_upto := coalesce(next_upto, upto);
		select array_agg(row(d.track_id, d.camera_id, d.at, d.label, d.confidence, d.x, d.y, d.w, d.h, d.stationary,
				null, null, null)::cctv.report order by d.at, d.track_id)
			into reports
			from cctv.detections as d
			where d.at >= seen_upto and d.at < next_upto and (rule.camera_id is null or d.camera_id = rule.camera_id);
		if reports is not null then
			select * into folded from cctv.fold_reports(rules, reports, memory);
			-- Who was out of sight for a while joins a crowd anew, but is alerted of once.
			return query
				select h.*
				from (
					select distinct on (u.track_id) u.*
					from unnest(folded.hits) as u
					where u.track_id <> all (raised)
					order by u.track_id, u.at) as h
				order by h.at, h.track_id;
			raised := raised || array(select h.track_id from unnest(folded.hits) as h);
			-- As in the tables: what is new replaces what is old, tracks that have ended are forgotten.
			memory := row(
				(select array_agg(s) from (
					select s from unnest((folded.memory).states) as s
					union all
					select s from unnest(memory.states) as s
					where not exists (select from unnest((folded.memory).states) as n where n.track_id = s.track_id)
						and exists (
							select from cctv.tracks as t
							where t.track_id = s.track_id and (t.ended_at is null or t.ended_at >= next_upto))) as s),
				(select array_agg(c) from (
					select c from unnest((folded.memory).crowds) as c
					union all
					select c from unnest(memory.crowds) as c
					where not exists (select from unnest((folded.memory).crowds) as n where n.camera_id = c.camera_id)) as c),
				(select array_agg(d) from (
					select d from unnest((folded.memory).cooldowns) as d
					union all
					select d from unnest(memory.cooldowns) as d
					where not exists (
						select from unnest((folded.memory).cooldowns) as n
						where n.camera_id = d.camera_id and n.label = d.label)) as d),
				(folded.memory).windows)::cctv.rule_memory;
		end if;
		exit when next_upto >= upto;
		seen_upto := next_upto;
	end loop;
end
$$;
comment on function cctv.backtest(cctv.alert_rules, timestamptz, timestamptz) is
	'Alerts that a rule, saved or not, would have raised between two times';

create function cctv.backtest(rule integer, from_at timestamptz, upto timestamptz) returns setof cctv.hit
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
declare
	r cctv.alert_rules;
begin
	select * into r from cctv.alert_rules as a where a.rule_id = rule;
	if not found then
		raise exception 'rule % does not exist', rule
			using errcode = 'undefined_object',
				hint = 'See them with: select * from cctv.alert_rules.';
	end if;
	return query select * from cctv.backtest(r, from_at, upto);
end
$$;
comment on function cctv.backtest(integer, timestamptz, timestamptz) is
	'Alerts that a rule would have raised between two times, as it is now';
