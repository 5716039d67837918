-- Two tenants in one database: who sees, operates and changes which camera.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
begin;
create role regress_north; -- a tenant: its people are members
create role regress_nora in role regress_north, cctv_operator;
create role regress_nick in role regress_north, cctv_viewer;
create role regress_south in role cctv_operator;
create role regress_guard in role cctv_viewer;
create role regress_patrol in role cctv_operator;
create role regress_admin in role cctv_admin;
create role regress_nobody;

-- Roles stay roles: nobody can connect as them.
select rolname, rolcanlogin, rolsuper, rolinherit from pg_roles where rolname ~ '^cctv_' and rolname <> 'cctv_views' order by 1;

-- A tenant adds cameras of its own, but no files or devices of the server.
set role regress_admin;
insert into cctv.cameras (camera_id, name, url, owner) values (-1, 'gate', 'rtsp://n:secret@192.0.2.1/', 'regress_north'), (-2, 'pier', 'rtsp://192.0.2.4/', 'regress_south');
set role regress_nora;
insert into cctv.cameras (name, url, owner) values ('yard', 'rtsp://192.0.2.2/', 'regress_north');
select cctv.add_camera('file', '/etc/passwd');
select cctv.add_camera('file', 'file:///etc/passwd');
update cctv.cameras set url = '/dev/video0' where name = 'gate';
update cctv.cameras set detect_url = '/dev/video0' where name = 'gate';
select cctv.add_camera('device', '0');
select * from cctv.probe('/dev/video0');
insert into cctv.cameras (name, url, owner) values ('not mine', 'rtsp://192.0.2.3/', 'regress_south');
insert into cctv.cameras (camera_id, name, url) values (-7, 'key', 'rtsp://192.0.2.3/');
update cctv.cameras set owner = 'regress_south' where name = 'gate';
set role regress_south;
select cctv.add_camera('dock', 'rtsp://192.0.2.6/', default_rules => false) is not null;
set role regress_admin;
select cctv.add_camera('file', '/srv/video/x.mp4', default_rules => false) is not null;
insert into cctv.cameras (name, url, owner) values ('given', 'rtsp://192.0.2.5/', 'regress_south') returning name, owner;

-- Its own members see them, by group, and nobody else does.
set role regress_nora;
select name, owner from cctv.cameras order by name;
set role regress_nick;
select name from cctv.cameras order by name;
select camera from cctv.status;
select cctv.stop('gate');
update cctv.cameras set enabled = false;
set role regress_south;
select name from cctv.cameras order by name;
select cctv.camera_id('gate');
select cctv.camera_id(-1);
select cctv.checked_camera(-1, 'view');
set role regress_guard;
select count(*) from cctv.cameras;
set role regress_admin;
select name from cctv.cameras where name !~ '^regress' order by name;
set role regress_nobody;
select count(*) from cctv.cameras;

-- Grants add up; only owners and administrators grant.
set role regress_nora;
select cctv.grant_camera('gate', 'regress_guard');
select cctv.grant_camera('gate', 'regress_guard', 'operate');
select cctv.grant_camera('gate', 'regress_guard', 'view');
select cctv.grant_camera('gate', 'regress_patrol', 'operate');
select cctv.grant_camera('gate', 'regress_patrol', 'manage');
select cctv.grant_camera('gate', 'public');
select cctv.grant_camera('gate', 'nobody there');
select cctv.grant_camera('pier', 'regress_guard');
select cctv.grant_camera(-2, 'regress_guard');
insert into cctv.camera_grants (camera_id, role) values (-2, 'regress_north'), (null, 'regress_north');
insert into cctv.camera_grants (camera_id, role) values (null, 'regress_north');
select cctv.grant_all_cameras('regress_north');
select camera_id = -1 as of_gate, role, privilege, granted_by from cctv.camera_grants order by role::text;
set role regress_south;
select count(*) from cctv.camera_grants;
set role regress_guard;
select camera, state from cctv.status;
select role, privilege from cctv.camera_grants;
select cctv.grant_camera('gate', 'regress_nobody');
set role regress_patrol;
select name from cctv.cameras;
update cctv.cameras set enabled = true, record_manual = true where name = 'gate' returning name, run;
update cctv.cameras set location = 'here' where name = 'gate';
update cctv.cameras set owner = 'regress_patrol' where name = 'gate';
select cctv.remove_camera('gate');
select cctv.add_zone('gate', 'zone', '{{0,0},{1,0},{1,1}}');
select cctv.add_rule('rule', 'gate');
select cctv.default_rules('gate');
select cctv.schedule('gate', 'run', 'daily', '08:00', '18:00');
select cctv.grant_camera('gate', 'regress_nobody');
delete from cctv.cameras;
insert into cctv.alert_rules (name, camera_id) values ('rule', -1);
insert into cctv.schedules (camera_id, action, starts, ends) values (-1, 'run', '08:00', '18:00');

-- Zones, rules and schedules are the owner's, those of every camera the
-- administrator's.
set role regress_nora;
select cctv.add_zone('gate', 'zone', '{{0,0},{1,0},{1,1}}') is not null;
select cctv.add_rule('rule', 'gate', zone => 'zone') as gate_rule \gset
select cctv.schedule('gate', 'run', 'daily', '08:00', '18:00', time_zone => 'UTC') is not null;
select cctv.schedule_rule(:gate_rule, 'daily', '08:00', '18:00', 'UTC') as rule_schedule \gset
select cctv.add_rule('everywhere');
set role regress_admin;
select cctv.add_rule('everywhere') as every_rule \gset
set role regress_south;
select name from cctv.alert_rules;
select count(*) from cctv.zones;
select count(*) from cctv.schedules;
reset role;
select zone_id as gate_zone from cctv.zones where camera_id = -1 \gset
set role regress_south;
insert into cctv.alert_rules (name, camera_id, zone_id) values ('spy', -2, :gate_zone);
insert into cctv.zones (camera_id, name, points) values (-1, 'spy', '{{0,0},{1,0},{1,1}}');
insert into cctv.schedules (rule_id, action, starts, ends) values (:gate_rule, 'rule', '08:00', '18:00');
\set VERBOSITY sqlstate
select cctv.remove_rule(:gate_rule);
select cctv.remove_rule(:every_rule);
select cctv.unschedule(:rule_schedule);
\set VERBOSITY terse
update cctv.zones set name = 'spied';
set role regress_guard;
select (select count(*) from cctv.zones) as zones, (select count(*) from cctv.alert_rules) as rules, (select count(*) from cctv.schedules) as schedules;

-- History: what each role sees of it, whatever way it asks.
reset role;
select cctv.maintain();
insert into cctv.camera_status (camera_id, state) select camera_id, 'running' from cctv.cameras where name in ('gate', 'pier');
select cctv.ingest(jsonb_agg(jsonb_build_object('type', 'objects', 'camera_id', camera_id, 'session', md5(name), 'seq', 1, 'at', now(),
	'objects', jsonb_build_array(jsonb_build_object('track', 1, 'label', 'person', 'confidence', 0.9, 'box', '[0.1, 0.1, 0.2, 0.4]'::jsonb,
		'stationary', false, 'model', 'objects')))), false)
from cctv.cameras where name in ('gate', 'pier');
set constraints all immediate;
insert into cctv.recordings (camera_id, kind, state, path, started_at, ended_at, bytes)
	select camera_id, 'snapshot', 'complete', name || '/1.jpg', now(), now(), 1 from cctv.cameras where name in ('gate', 'pier');
insert into cctv.notifications (kind, topic, camera_id, message) select 'info', 'test', camera_id, name from cctv.cameras where name in ('gate', 'pier');
select cctv.roll_up('infinity') > 0 as rolled_up;
create function pg_temp.counts(out relation text, out rows_of text) returns setof record language plpgsql as $$
begin
	foreach relation in array string_to_array('detections tracks alerts v_alerts v_alerts_hourly alerts_hourly alerts_since events_between recordings v_recordings v_storage camera_status notifications unread v_camera_health', ' ')
	loop
		execute format('select string_agg(distinct coalesce((select c.name from cctv.cameras as c where c.camera_id = q.camera_id), ''?''), '' '') from cctv.%s as q',
			case relation when 'alerts_since' then 'alerts_since(0)' when 'events_between' then 'events_between(0, 1000000, 100)' when 'unread' then 'unread()' else relation end)
			into rows_of;
		return next;
	end loop;
end
$$;
set role regress_guard;
select * from pg_temp.counts();
set role regress_south;
select string_agg(relation, ' ') filter (where rows_of = 'pier') as only_pier, string_agg(relation || '=' || coalesce(rows_of, ''), ' ') filter (where rows_of is distinct from 'pier') as other from pg_temp.counts();
set role regress_nobody;
select count(*) from pg_temp.counts();

-- Partitions show nothing at all, whatever is granted on them.
reset role;
select partition from cctv.partitions() where day = (now() at time zone 'UTC')::date \gset
grant usage on schema cctv to regress_nobody;
grant select on all tables in schema cctv to regress_nobody;
grant execute on all functions in schema cctv to regress_nobody;
set role regress_nobody;
select count(*) from :partition;
select count(*) from cctv.detections;
select count(*) from cctv.camera_secrets;
select cctv.desired_state(1);
select cctv.ingest('[]');
select cctv.maintain();
select cctv.next_look();
select cctv.worker_started(1);
reset role;

-- Alerts are acknowledged once, by who does it.
set role regress_guard;
select cctv.acknowledge(alert_id) from cctv.alerts;
set role regress_patrol;
update cctv.alerts set acknowledged_at = '2000-01-01', acknowledged_by = 'regress_nora', note = 'postman';
select acknowledged_at > now() - interval '1 day' as now, acknowledged_by, note from cctv.alerts;
\set VERBOSITY sqlstate
update cctv.alerts set note = 'nobody';
\set VERBOSITY terse
update cctv.alerts set severity = 'info';
delete from cctv.alerts;
select cctv.protect(recording_id) from cctv.recordings;
select path, protected from cctv.recordings;
set role regress_nora;
select cctv.acknowledge(alert_id) from cctv.alerts;
set role regress_south;
select count(*), bool_or(acknowledged_at is not null) as acknowledged from cctv.alerts;
select cctv.acknowledge(-1);

-- A consumer is its owner's, and gives what they may see.
set role regress_guard;
select cctv.create_consumer('desk', 0);
select distinct camera from cctv.consume('desk');
set role regress_south;
select cctv.consume('desk');
select count(*) from cctv.v_consumers;
select cctv.drop_consumer('desk');
select cctv.create_consumer('quay', 0);
select distinct camera from cctv.consume('quay');
set role regress_admin;
select consumer, owner from cctv.consumers order by 1;

-- What is read is read by one role, and only by itself.
set role regress_guard;
select cctv.mark_read();
select count(*) from cctv.unread();
insert into cctv.notification_reads (role, notification_id) select 'regress_nora', max(notification_id) from cctv.notifications;
select count(*) from cctv.notification_reads;
set role regress_nora;
select count(*) from cctv.notification_reads;

-- Behind SET ROLE it is the role that counts, in a definer's function its owner.
reset role;
create function public.regress_peek() returns bigint language sql security definer set search_path = pg_catalog, pg_temp
	as $$ select count(*) from cctv.alerts $$;
alter function public.regress_peek() owner to regress_guard;
set role regress_south;
select public.regress_peek() as of_guard, (select count(*) from cctv.alerts) as of_south;
reset role;
select public.regress_peek() as of_guard, (select count(*) from cctv.alerts) as of_superuser;
set session authorization regress_patrol;
select count(*) from cctv.alerts;
reset session authorization;

-- Before PostgreSQL 15 views belong to a role that owns no table: row security
-- binds it, and asks for the cameras of whoever asks.
reset role;
savepoint invoker;
do $$
declare
	view regclass;
begin
	if not exists (select from pg_roles where rolname = 'cctv_views') then
		create role cctv_views in role cctv_viewer;
	end if;
	for view in select oid from pg_class where relnamespace = 'cctv'::regnamespace and relkind = 'v' loop
		if current_setting('server_version_num')::integer >= 150000 then
			execute format('alter view %s reset (security_invoker)', view);
		end if;
		execute format('alter view %s owner to cctv_views', view);
	end loop;
end
$$;
set role regress_guard;
select string_agg(distinct camera, ' ') from cctv.status;
select string_agg(distinct camera, ' ') from cctv.v_alerts;
select string_agg(distinct camera, ' ') from cctv.v_alerts_hourly;
select string_agg(distinct camera, ' ') from cctv.v_recordings;
reset role;
rollback to invoker;

-- Revoked: back to what there was.
set role regress_nora;
select cctv.revoke_camera('gate', 'regress_guard', 'operate');
select role, privilege from cctv.camera_grants order by role::text;
select cctv.revoke_camera('gate', 'regress_guard');
select cctv.revoke_camera('gate', 'regress_patrol');
set role regress_guard;
select count(*) from cctv.alerts;
set role regress_admin;
select cctv.grant_all_cameras('regress_guard');
set role regress_guard;
select string_agg(name, ' ' order by name) from cctv.cameras where name !~ '^regress';
set role regress_admin;
select cctv.revoke_all_cameras('regress_guard');
set role regress_guard;
select count(*) from cctv.cameras;

-- Notifications carry keys as soon as some may not see every camera.
reset role;
select cctv.notify_detail();
delete from cctv.alerts;
update cctv.cameras set owner = current_user::regrole;
select cctv.notify_detail();
select cctv.grant_camera('gate', 'regress_guard');
select cctv.notify_detail();
select cctv.notification_payload(n) is not null and cctv.notification_payload(n) not like '%message%' as keys_only from cctv.notifications as n where topic = 'test' limit 1;
select cctv.revoke_camera('gate', 'regress_guard');
select cctv.notify_detail();
select topic, message from cctv.notifications where topic = 'notify_detail' order by notification_id;

rollback;
