-- The same for zones, rules, schedules and what follows from them.

alter table cctv.notifications owner to cctv_worker;
alter table cctv.event_counter owner to cctv_worker;
alter table cctv.rule_state owner to cctv_worker;
alter table cctv.crowd_state owner to cctv_worker;
alter table cctv.rule_cooldown owner to cctv_worker;
alter table cctv.rule_window owner to cctv_worker;
alter table cctv.alert_zones owner to cctv_worker;
alter table cctv.alerts_hourly owner to cctv_worker;
alter function cctv.number_event() owner to cctv_worker;
alter function cctv.next_look() owner to cctv_worker;
alter function cctv.rolled_up() owner to cctv_worker;
grant select on cctv.zones, cctv.alert_rules, cctv.schedules, cctv.consumers to cctv_worker;
grant execute on function
	cctv.parse_cron(text),
	cctv.parse_cron_field(text, text, integer, integer, text[]),
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
	cctv.notification_payload(cctv.notifications, text),
	cctv.raise_notifications(cctv.notifications[], boolean),
	cctv.notify_of_alerts(cctv.alerts[], boolean),
	cctv.rule_windows(integer, integer, text, timestamptz, timestamptz),
	cctv.scheduled_until(integer, text, timestamptz, integer),
	cctv.stay_step(cctv.stay, cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text),
	cctv.stay_after(cctv.rule_state, timestamptz, real, real, boolean, interval, real[], text),
	cctv.crowd_step(cctv.crowd, cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean),
	cctv.crowd_after(cctv.crowd_state, timestamptz, cctv.crowd_member[], integer, boolean),
	cctv.cooldown_step(cctv.cooldown, timestamptz, timestamptz, interval),
	cctv.cooldown_after(timestamptz, timestamptz, interval),
	cctv.fold_reports(cctv.alert_rules[], cctv.report[], cctv.rule_memory),
	cctv.duration_words(interval),
	cctv.describe_hit(cctv.hit, cctv.alert_rules, text, text),
	cctv.raise_alerts(cctv.hit[], cctv.alert_rules[], cctv.report[], boolean),
	cctv.evaluate_rules(cctv.report[], boolean),
	cctv.remember_cooldowns(cctv.rule_cooldown[]),
	cctv.absences(integer[], timestamptz, timestamptz),
	cctv.fold_absences(cctv.alert_rules[], integer[], timestamptz, timestamptz, cctv.rule_cooldown[]),
	cctv.notify_of_absences(integer[], boolean),
	cctv.watch_absences(integer[], boolean),
	cctv.zone_points(integer, text),
	cctv.watched_zones(integer),
	cctv.expire_notifications(integer),
	cctv.rolled_up(),
	cctv.roll_up(timestamptz),
	cctv.next_seq(),
	cctv.last_seq(),
	cctv.line_crossing(real[], double precision, double precision, double precision, double precision)
	to cctv_worker;
revoke all on type cctv.cron, cctv.event, cctv.absence, cctv.crowd_member, cctv.stay, cctv.crowd, cctv.cooldown,
	cctv.rule_memory, cctv.hit from public;
grant usage on type cctv.cron, cctv.absence, cctv.crowd_member, cctv.stay, cctv.crowd, cctv.cooldown, cctv.rule_memory, cctv.hit
	to cctv_worker;

create trigger wake after insert or update or delete or truncate on cctv.zones
	for each statement execute function cctv.wake();
alter table cctv.zones enable always trigger wake;
comment on trigger wake on cctv.zones is 'Wakes the worker at commit';
create trigger wake after insert or update or delete or truncate on cctv.alert_rules
	for each statement execute function cctv.wake();
alter table cctv.alert_rules enable always trigger wake;
comment on trigger wake on cctv.alert_rules is 'Wakes the worker at commit';
create trigger wake after insert or update or delete or truncate on cctv.schedules
	for each statement execute function cctv.wake();
alter table cctv.schedules enable always trigger wake;
comment on trigger wake on cctv.schedules is 'Wakes the worker at commit';

select pg_catalog.pg_extension_config_dump('cctv.zones', '');
select pg_catalog.pg_extension_config_dump('cctv.zones_zone_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.alert_rules', '');
select pg_catalog.pg_extension_config_dump('cctv.alert_rules_rule_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.rule_state', '');
select pg_catalog.pg_extension_config_dump('cctv.crowd_state', '');
select pg_catalog.pg_extension_config_dump('cctv.rule_cooldown', '');
select pg_catalog.pg_extension_config_dump('cctv.rule_window', '');
select pg_catalog.pg_extension_config_dump('cctv.schedules', '');
select pg_catalog.pg_extension_config_dump('cctv.schedules_schedule_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.notifications', '');
select pg_catalog.pg_extension_config_dump('cctv.notifications_notification_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.notification_reads', '');
select pg_catalog.pg_extension_config_dump('cctv.event_counter', '');
select pg_catalog.pg_extension_config_dump('cctv.consumers', '');
select pg_catalog.pg_extension_config_dump('cctv.alert_zones', '');
select pg_catalog.pg_extension_config_dump('cctv.alerts_hourly', '');
