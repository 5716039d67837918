-- What the members of cctv_viewer, cctv_operator and cctv_admin may do, with the
-- rows that policies let them have.  docs/security.md shows it as a table.

grant usage on schema cctv to cctv_viewer;

-- Tables.

grant select on
	cctv.cameras, cctv.models, cctv.zones, cctv.alert_rules, cctv.schedules, cctv.camera_grants,
	cctv.camera_status, cctv.camera_events, cctv.tracks, cctv.detections, cctv.alerts, cctv.alert_zones,
	cctv.alerts_hourly, cctv.recordings, cctv.recording_status, cctv.media_deletions, cctv.media_status,
	cctv.notifications, cctv.event_counter, cctv.engine_status
	to cctv_viewer;
grant select, insert, update, delete on cctv.consumers to cctv_viewer;
grant select, insert, delete on cctv.notification_reads to cctv_viewer;

grant update (acknowledged_at, acknowledged_by, note) on cctv.alerts to cctv_operator;
grant update (protected) on cctv.recordings to cctv_operator;
grant insert, update, delete on cctv.zones, cctv.alert_rules, cctv.schedules, cctv.camera_grants to cctv_operator;
-- Keys are the extension's to give: a trigger files credentials under them.
do $$
declare
	columns text;
begin
	select string_agg(quote_ident(attname), ', ' order by attnum) into columns
		from pg_attribute
		where attrelid = 'cctv.cameras'::regclass and attnum > 0 and not attisdropped
			and attname not in ('camera_id', 'created_at', 'updated_at');
	execute format('grant insert (%s), update (%s) on cctv.cameras to cctv_operator', columns, columns);
end
$$;

grant select on cctv.sessions, cctv.rule_state, cctv.crowd_state, cctv.rule_cooldown,
	cctv.rule_window to cctv_admin;
grant insert, update, delete on cctv.cameras, cctv.models to cctv_admin;
grant delete on cctv.alerts, cctv.recordings, cctv.notifications to cctv_admin;

-- Views: with the rights of who asks.  Before PostgreSQL 15 a view has the
-- rights of its owner: then that is a role that owns no table, so that row
-- security binds it, with the policies of everybody; who asks is still the
-- current user.  It has no members, as those could replace the views.
do $$
declare
	view regclass;
	invoker constant boolean := current_setting('server_version_num')::integer >= 150000;
begin
	if not invoker and not exists (select from pg_roles where rolname = 'cctv_views') then
		create role cctv_views nologin;
		comment on role cctv_views is 'Owner of the views of pg_cctv; nobody is a member of it';
	end if;
	if not invoker then
		if exists (select from pg_auth_members where roleid = 'cctv_views'::regrole) then
			raise exception 'role "cctv_views" has members'
				using errcode = 'invalid_role_specification',
					detail = 'Whoever can become cctv_views can replace the views of pg_cctv.',
					hint = 'Revoke those memberships: \du cctv_views lists them.';
		end if;
		grant cctv_viewer to cctv_views;
	end if;
	for view in
		select oid from pg_class where relnamespace = 'cctv'::regnamespace and relkind = 'v'
	loop
		if invoker then
			execute format('alter view %s set (security_invoker = true)', view);
			execute format('alter view %s owner to %I', view, current_user);
		else
			execute format('alter view %s owner to cctv_views', view);
		end if;
		execute format('grant select on %s to cctv_viewer', view);
	end loop;
end
$$;

-- Functions.

-- What anybody may ask, and what tables, views and policies are made of.
grant execute on function
	cctv.version(),
	cctv.worker_pid(),
	cctv.require_worker(),
	cctv.health(),
	cctv.metrics(),
	cctv.metric_label(text, text),
	cctv.metric_value(double precision),
	cctv.metric_families(),
	cctv.camera_samples(),
	cctv.system_samples(),
	cctv.ingest_status(),
	cctv.partitions(),
	cctv.my_cameras(text),
	cctv.my_roles(),
	cctv.caller(),
	cctv.checked_camera(integer, text),
	cctv.camera_id(text),
	cctv.camera_id(integer),
	cctv.zone_id(integer, text),
	cctv.zone_problem(text, real[]),
	cctv.zone_shape(text, real[]),
	cctv.zone_from_pixels(double precision[], integer, integer),
	cctv.line_crossing(real[], double precision, double precision, double precision, double precision),
	cctv.split_url(text),
	cctv.percent_decode(text),
	cctv.url_authority(text),
	cctv.alert_type(text),
	cctv.duration_words(interval),
	cctv.check_models(text[], text[]),
	cctv.check_time_zone(text)
	to cctv_viewer;
-- What is to be seen.
grant execute on function
	cctv.live_frame(integer, boolean, integer),
	cctv.live_frame(text, boolean, integer),
	cctv.media(bigint, bigint, integer),
	cctv.media_sha256(bigint),
	cctv.verify(bigint),
	cctv.snapshot(bigint, integer),
	cctv.thumbnail(bigint, integer),
	cctv.export_progress(),
	cctv.media_directory(),
	cctv.alerts_since(bigint, integer),
	cctv.events_between(bigint, bigint, integer, integer[], text[], text),
	cctv.last_seq(),
	cctv.rolled_up(),
	cctv.create_consumer(text, bigint, integer[], text[], text),
	cctv.drop_consumer(text),
	cctv.locked_consumer(text),
	cctv.consume(text, integer),
	cctv.commit_offset(text, bigint),
	cctv.seek(text, bigint),
	cctv.seek(text, timestamptz),
	cctv.unread(integer),
	cctv.mark_read(bigint),
	cctv.mark_read()
	to cctv_viewer;
-- What schedules and rules say.
grant execute on function
	cctv.parse_cron(text),
	cctv.parse_cron_field(text, text, integer, integer, text[]),
	cctv.parse_days(text),
	cctv.parse_time_of_day(text),
	cctv.cron_holds(cctv.cron, date),
	cctv.wall_instant(timestamp, text, boolean),
	cctv.schedule_has_day(cctv.schedules, date),
	cctv.schedule_window(cctv.schedules, text, date),
	cctv.cron_fires(cctv.schedules, text, text, timestamptz, boolean, boolean),
	cctv.schedule_is_on(cctv.schedules, text, timestamptz),
	cctv.schedule_edge(cctv.schedules, text, timestamptz),
	cctv.schedules_of(integer, text, integer),
	cctv.zone_of(cctv.schedules, integer),
	cctv.is_scheduled(integer, text, timestamptz, integer),
	cctv.scheduled_until(integer, text, timestamptz, integer),
	cctv.schedule_at(integer, timestamptz),
	cctv.schedule_at(text, timestamptz),
	cctv.next_change(integer, timestamptz),
	cctv.next_change(text, timestamptz),
	cctv.backtest(cctv.alert_rules, timestamptz, timestamptz),
	cctv.backtest(integer, timestamptz, timestamptz),
	cctv.day_start(date),
	cctv.rule_windows(integer, integer, text, timestamptz, timestamptz),
	cctv.stay_step(cctv.stay, cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text),
	cctv.stay_after(cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text),
	cctv.crowd_step(cctv.crowd, cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean),
	cctv.crowd_after(cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean),
	cctv.cooldown_step(cctv.cooldown, timestamptz, timestamptz, interval),
	cctv.cooldown_after(timestamptz, timestamptz, interval),
	cctv.fold_reports(cctv.alert_rules[], cctv.report[], cctv.rule_memory),
	cctv.absences(integer[], timestamptz, timestamptz),
	cctv.fold_absences(cctv.alert_rules[], integer[], timestamptz, timestamptz, cctv.rule_cooldown[])
	to cctv_viewer;

grant execute on function
	cctv.start(integer),
	cctv.start(text),
	cctv.stop(integer),
	cctv.stop(text),
	cctv.start_recording(integer),
	cctv.start_recording(text),
	cctv.stop_recording(integer),
	cctv.stop_recording(text),
	cctv.snapshot_now(integer, boolean),
	cctv.take_snapshot(integer, boolean),
	cctv.take_snapshot(text, boolean),
	cctv.export_order(integer, timestamptz, timestamptz),
	cctv.export_segments(integer, timestamptz, timestamptz),
	cctv.export(integer, timestamptz, timestamptz, jsonb),
	cctv.export_clip(integer, timestamptz, timestamptz),
	cctv.export_clip(text, timestamptz, timestamptz),
	cctv.export_timelapse(integer, timestamptz, timestamptz, interval, integer, integer, boolean),
	cctv.export_timelapse(text, timestamptz, timestamptz, interval, integer, integer, boolean),
	cctv.acknowledge(bigint, text),
	cctv.protect(bigint),
	cctv.unprotect(bigint),
	cctv."analyze"(bytea, text)
	to cctv_operator;
-- Of cameras that are one's own.
grant execute on function
	cctv.add_camera(text, text, text, text, boolean, boolean, real, text[], text[], real, integer, real, boolean, text,
		boolean, boolean, timestamptz, text, interval, boolean, text, interval, interval, interval, interval, interval,
		text),
	cctv.remove_camera(integer, boolean),
	cctv.remove_camera(text, boolean),
	cctv.find_stream(text),
	cctv.probe(text, text, text, interval),
	cctv.set_detection(integer, boolean, text[], text[], real),
	cctv.set_detection(text, boolean, text[], text[], real),
	cctv.set_fps(integer, real),
	cctv.set_fps(text, real),
	cctv.set_credentials(integer, text, text, text),
	cctv.set_credentials(text, text, text, text),
	cctv.grant_camera(integer, text, text),
	cctv.grant_camera(text, text, text),
	cctv.revoke_camera(integer, text, text),
	cctv.revoke_camera(text, text, text),
	cctv.role_named(text),
	cctv.add_grant(integer, text, text),
	cctv.drop_grant(integer, text, text),
	cctv.add_zone(integer, text, real[], text, text),
	cctv.add_zone(text, text, real[], text, text),
	cctv.remove_zone(integer, text),
	cctv.remove_zone(text, text),
	cctv.default_rules(integer),
	cctv.default_rules(text),
	cctv.add_rule(text, integer, text, text, text[], real, text, text, text, interval, integer, interval, text, boolean),
	cctv.add_rule(text, text, text, text, text[], real, text, text, text, interval, integer, interval, text, boolean),
	cctv.remove_rule(integer),
	cctv.add_schedule(integer, integer, text, text, text, text, text, date, date, date[]),
	cctv.schedule(integer, text, text, text, text, text, date, date, date[]),
	cctv.schedule(text, text, text, text, text, text, date, date, date[]),
	cctv.schedule_rule(integer, text, text, text, text, date, date, date[]),
	cctv.unschedule(integer),
	cctv.unschedule(integer, text),
	cctv.unschedule(text, text)
	to cctv_operator;

grant execute on function
	cctv.grant_all_cameras(text, text),
	cctv.revoke_all_cameras(text, text),
	cctv.check_model(jsonb),
	cctv.add_model(text, text, text, text[], integer, integer, real, real, text, jsonb, text)
	to cctv_admin;

alter function cctv.say_notify_detail() owner to cctv_worker;
grant execute on function cctv.store_credentials(integer, text, text, text), cctv.notify_detail(), cctv.cameras_of(oid, text), cctv.my_cameras(text), cctv.my_roles(), cctv.caller(),
	cctv.only_worker(), cctv.only_on(oid, regclass[])
	to cctv_worker;
grant select on cctv.camera_grants to cctv_worker;
select pg_catalog.pg_extension_config_dump('cctv.camera_grants', '');

-- SECURITY DEFINER functions read tables with row security also where their
-- caller has switched it off, as a restore does.
do $$
declare
	definer regprocedure;
begin
	for definer in
		select oid from pg_proc where pronamespace = 'cctv'::regnamespace and prosecdef
	loop
		execute format('alter function %s set row_security = on', definer);
	end loop;
end
$$;

-- Once more, after everything else: nothing is anybody's.
revoke all on all tables in schema cctv from public;
revoke all on all functions in schema cctv from public;
