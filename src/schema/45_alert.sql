-- Alerts: which detections somebody should know about.
--
-- What is called for each alert is in PL/pgSQL: of a function in SQL that
-- cannot be inlined, PostgreSQL plans the body anew in every statement.

create function cctv.alert_type(label text) returns text
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
begin
	return case
		when label in ('car', 'truck', 'bus', 'motorcycle', 'bicycle', 'van', 'boat', 'train') then 'vehicle'
		when label in ('bird', 'cat', 'dog', 'horse', 'sheep', 'cow', 'bear', 'elephant', 'zebra',
			'giraffe') then 'animal'
		else label
	end;
end
$$;
comment on function cctv.alert_type(text) is 'Type of the alert that an object of this label raises: person, vehicle, animal, or the label';

-- What cctv_alert carries about an alert.  Lengths are bounded by the tables,
-- so it stays below the 8000 bytes of a notification.
create function cctv.alert_payload(alert cctv.alerts, detail text default cctv.notify_detail())
	returns text
	language sql stable
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
	select case detail
		when 'id' then row_to_json(brief)
		else row_to_json(full_)
	end::text
	from cctv.cameras as c,
		lateral (select alert.alert_id, alert.camera_id) as brief,
		lateral (
			select alert.alert_id, alert.camera_id, c.name as camera, alert.alert_type as type, alert.label,
				alert.confidence, alert.severity, left(alert.description, 500) as description, alert.at,
				case when alert.x is not null then array[alert.x, alert.y, alert.w, alert.h] end as box,
				alert.snapshot) as full_
	where c.camera_id = alert.camera_id
$$;
comment on function cctv.alert_payload(cctv.alerts, text) is
	'Payload of a notification on cctv_alert, one JSON object';

create function cctv.duration_words(duration interval) returns text
	language plpgsql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
begin
	return case
		when duration < interval '2 minutes' then round(extract(epoch from duration)) || ' s'
		when duration < interval '2 hours' then round(extract(epoch from duration) / 60) || ' min'
		else round(extract(epoch from duration) / 3600) || ' h'
	end;
end
$$;
comment on function cctv.duration_words(interval) is 'A duration as people say it';

create function cctv.describe_hit(hit cctv.hit, rule cctv.alert_rules, zone text, line text) returns text
	language plpgsql immutable
	set search_path = pg_catalog, pg_temp
	as $$
begin
	return left(concat_ws(' ',
		case rule.source
			when 'camera_offline' then 'camera offline'
			when 'camera_recovered' then 'camera back'
		end,
		case when hit.size > 1 then hit.size || ' at once:' end,
		hit.label,
		'in ' || zone,
		'across ' || line,
		case rule.source when 'camera_recovered' then 'after ' else 'for ' end || cctv.duration_words(hit.stayed)), 1000);
end
$$;
comment on function cctv.describe_hit(cctv.hit, cctv.alert_rules, text, text) is 'An alert in words';

-- Store and announce alerts.  Returns how many there were.
create function cctv.raise_alerts(
	hits cctv.hit[],
	rules cctv.alert_rules[],
	reports cctv.report[],
	notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	raised cctv.alerts[];
begin
	if hits is null then
		return 0;
	end if;
	with alert as (
		insert into cctv.alerts (camera_id, track_id, rule_id, alert_type, severity, description, label, confidence,
			at, x, y, w, h, snapshot, decoded_at, inference_ms)
		select hit.camera_id, hit.track_id, hit.rule_id,
			coalesce(r.alert_type, cctv.alert_type(hit.label), r.source), r.severity,
			cctv.describe_hit(hit, r, z.name, l.name), hit.label, hit.confidence, hit.at,
			hit.x, hit.y, hit.w, hit.h, coalesce(p.snapshot, t.snapshot), p.decoded_at, p.inference_ms
		from unnest(hits) as hit
			join unnest(rules) as r on r.rule_id = hit.rule_id
			left join cctv.zones as z on z.zone_id = r.zone_id
			left join cctv.zones as l on l.zone_id = r.line_id
			left join cctv.tracks as t on t.track_id = hit.track_id
			left join unnest(reports) as p on p.track_id = hit.track_id and p.at = hit.at
		order by hit.at, hit.rule_id, hit.track_id
		on conflict do nothing
		returning *
	), zone as (
		insert into cctv.alert_zones (alert_id, zone_id)
		select a.alert_id, z.zone_id
		from alert as a
			join cctv.zones as z on z.camera_id = a.camera_id
		where z.kind = 'zone' and z.shape @> point(a.x + a.w / 2, least(a.y + a.h, 1))
	)
	select array_agg(alert::cctv.alerts order by alert_id) into raised from alert;
	if raised is null then
		return 0;
	end if;
	if notify then
		perform pg_notify('cctv_alert', cctv.alert_payload(a)) from unnest(raised) as a;
	end if;
	perform cctv.notify_of_alerts(raised, notify);
	perform cctv.record_alerts(raised);
	return cardinality(raised);
end
$$;
comment on function cctv.raise_alerts(cctv.hit[], cctv.alert_rules[], cctv.report[], boolean) is
	'Stores and announces alerts; returns their number';

create function cctv.remember_cooldowns(cooldowns cctv.rule_cooldown[]) returns void
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
begin
	if cooldowns is not null then
		insert into cctv.rule_cooldown
			select * from unnest(cooldowns)
			on conflict (rule_id, camera_id, label) do update
				set last_at = excluded.last_at, seen_at = excluded.seen_at;
	end if;
end
$$;
comment on function cctv.remember_cooldowns(cctv.rule_cooldown[]) is 'Stores when rules last raised an alert';

-- Evaluate the rules about objects over the detections of a batch.  Returns how
-- many alerts there were.
create function cctv.evaluate_rules(reports cctv.report[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	set plan_cache_mode = auto
	as $$
declare
	cameras integer[];
	rules cctv.alert_rules[];
	memory cctv.rule_memory;
	folded record;
begin
	select array_agg(distinct p.camera_id) into cameras from unnest(reports) as p;
	select array_agg(r) into rules
		from cctv.alert_rules as r
		where r.enabled and r.source = 'objects' and (r.camera_id is null or r.camera_id = any (cameras));
	if rules is null or cameras is null then
		return 0;
	end if;
	memory := row(
		(select array_agg(s) from cctv.rule_state as s where s.track_id in (select p.track_id from unnest(reports) as p)),
		(select array_agg(c) from cctv.crowd_state as c where c.camera_id = any (cameras)),
		(select array_agg(d) from cctv.rule_cooldown as d where d.camera_id = any (cameras)),
		(select array_agg(w) from cctv.rule_window as w where w.camera_id = any (cameras)))::cctv.rule_memory;
	-- An ordinary batch is over before a plan could be made for it; the plan of an
	-- ordinary batch is no good for a large one.
	perform set_config('plan_cache_mode',
		case when cardinality(reports) <= 100 then 'force_generic_plan' else 'force_custom_plan' end, true);
	select * into folded from cctv.fold_reports(rules, reports, memory);
	memory := folded.memory;
	if memory.states is not null then
		insert into cctv.rule_state as s
			select * from unnest(memory.states)
			on conflict (track_id, rule_id) do update
				set done = excluded.done, entered_at = excluded.entered_at, left_at = excluded.left_at,
					x = excluded.x, y = excluded.y;
	end if;
	if memory.crowds is not null then
		insert into cctv.crowd_state
			select * from unnest(memory.crowds)
			on conflict (rule_id, camera_id) do update set members = excluded.members;
	end if;
	if memory.windows is not null then
		insert into cctv.rule_window
			select * from unnest(memory.windows)
			on conflict (rule_id, camera_id) do update
				set version = excluded.version, begins_at = excluded.begins_at, ends_at = excluded.ends_at,
					is_on = excluded.is_on;
	end if;
	perform cctv.remember_cooldowns(memory.cooldowns);
	return cctv.raise_alerts(folded.hits, rules, reports, notify);
end
$$;
comment on function cctv.evaluate_rules(cctv.report[], boolean) is
	'Evaluates the alert rules over a batch of detections; returns the number of alerts';
