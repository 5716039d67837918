-- Notifications, and who has read them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set client_min_messages = warning;
begin;
delete from cctv.notifications;
select cctv.add_camera('lobby', 'rtsp://192.0.2.7/1') as lobby \gset

select cctv.raise_notifications(array[
	row(null, null, 'warning', 'camera_lost', :lobby, null, 'camera "lobby" is lost')::cctv.notifications,
	row(null, null, 'success', 'camera_found', :lobby, null, 'camera "lobby" is back')::cctv.notifications,
	row(null, null, 'error', 'low_disk', null, null, repeat('x', 2000))::cctv.notifications]);
select cctv.raise_notifications('{}'), cctv.raise_notifications(null);
select kind, topic, camera_id = :lobby as lobby, length(message) from cctv.notifications order by notification_id;
select cctv.notification_payload(n)::jsonb - '{at,notification_id,camera_id}'::text[] as payload
from cctv.notifications as n where camera_id is not null order by notification_id;
-- The longest fits into a notification, whatever it is made of.
select max(octet_length(cctv.notification_payload(row(n.notification_id, n.at, n.kind, n.topic, n.camera_id, n.alert_id, repeat(m, 1000))::cctv.notifications))) < 8000 as fits
from cctv.notifications as n, unnest(array['x', '"', '€', e'\x01']) as m;

select array(select jsonb_object_keys(cctv.notification_payload(n, 'id')::jsonb) order by 1) as only_ids from cctv.notifications as n where topic = 'low_disk';

-- Read by one, unread for the other.
create role regress_guard;
grant cctv_viewer to regress_guard;
select cctv.grant_all_cameras('regress_guard');
select min(notification_id) as first from cctv.notifications \gset
select cctv.mark_read(:first);
select cctv.mark_read(:first);
select topic from cctv.unread();
set role regress_guard;
select topic from cctv.unread();
select topic from cctv.unread(1);
select cctv.mark_read();
select cctv.mark_read();
select topic from cctv.unread();
reset role;
select topic from cctv.unread();
select count(*), count(distinct role) from cctv.notification_reads;
select cctv.mark_read(0);

-- What is wrong.
\set VERBOSITY terse
insert into cctv.notifications (kind, topic, message) values ('alarm', 'x', 'x');
insert into cctv.notifications (kind, topic, message) values ('info', 'No Topic', 'x');
insert into cctv.notifications (kind, topic, message) values ('info', 'x', '');
insert into cctv.notifications (kind, topic, message) values ('info', 'x', repeat('x', 1001));

-- They go with their camera, and what was read goes with them.
delete from cctv.cameras where camera_id = :lobby;
select topic from cctv.notifications;
delete from cctv.notifications;
select count(*) from cctv.notification_reads;
rollback;
