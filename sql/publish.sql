-- Publishing: where it goes, whose credentials, and how it is told.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
begin;
set local client_min_messages = warning;

select u.url, s.*
from (values (1, 'rtsp://192.0.2.9:8554/lobby'),
	(2, 'rtsp://out:secret@192.0.2.9:8554/lobby?key=1'),
	(3, 'RTMPS://Out:p%40ss@Live.Example/app/Key'),
	(4, 'srt://:0123456789ab@192.0.2.9:8890?streamid=publish:lobby'),
	(5, 'srt://192.0.2.9:8890'),
	(6, 'rtmp://[2001:db8::7]/live'),
	(7, null)) as u (n, url), cctv.split_publish_url(u.url) as s
order by n;

-- What is refused.  No error tells any part of a URL.
create function pg_temp.complain(url text, out complaint text)
	language plpgsql as $$
declare
	says text;
	mend text;
begin
	perform cctv.split_publish_url(url);
	complaint := 'NONE';
exception when others then
	get stacked diagnostics says = message_text, complaint = pg_exception_detail, mend = pg_exception_hint;
	if sqlstate <> '22023' or says <> 'the URL to publish to is not valid' or mend = ''
		or says || complaint || mend ~ 'secret|hunter2'
	then
		raise exception 'unexpected: % % %', sqlstate, says, complaint;
	end if;
end
$$;
select u.url, c.complaint
from (values (1, ''), (2, 'lobby'), (3, 'http://out:hunter2@192.0.2.9/'), (4, '/srv/video/out.mp4'),
	(5, 'file:///srv/video/out.mp4'), (6, 'rtsp://'), (7, 'rtsp://out:hunter2/@192.0.2.9/'), (8, 'srt://192.0.2.9'),
	(9, 'srt://192.0.2.9:8890?mode=listener'), (10, 'srt://192.0.2.9:8890?streamid=a&passphrase=hunter2hunter2'),
	(11, 'rtmp://192.0.2.9:0/live'), (12, 'rtsp://192.0.2.9/a b'), (13, 'udp://192.0.2.9:5000'), (14, 'rtp:192.0.2.9')
	) as u (n, url), pg_temp.complain(u.url) as c
order by n;

-- Credentials are stored apart, for this server and no other.
select cctv.add_camera('door', 'rtsp://viewer:hunter1@192.0.2.7/main') as door
\gset
update cctv.cameras set publish_url = 'rtsp://out:hunter2@192.0.2.9:8554/door' where camera_id = :door;
create function pg_temp.secrets(out url text, out publish_url text, out publish_annotated boolean, out reader text, out writer text)
	language sql as $$
	select c.url, c.publish_url, c.publish_annotated, r.username || ' ' || r.password, p.username || ' ' || p.password
	from cctv.cameras as c
		left join cctv.camera_secrets as r using (camera_id)
		left join cctv.publish_secrets as p using (camera_id)
	where c.name = 'door'
$$;
select * from pg_temp.secrets();
update cctv.cameras set publish_url = 'rtsp://192.0.2.9:8554/other', publish_annotated = false where camera_id = :door;
select * from pg_temp.secrets();
update cctv.cameras set publish_url = 'rtsp://192.0.2.10:8554/other' where camera_id = :door;
select * from pg_temp.secrets();
update cctv.cameras set publish_url = 'rtsp://out:hunter3@192.0.2.10:8554/other' where camera_id = :door;
update cctv.cameras set url = 'rtsp://192.0.2.8/main' where camera_id = :door;
select * from pg_temp.secrets();
update cctv.cameras set publish_url = 'ftp://out:hunter2@192.0.2.9/' where camera_id = :door;

-- Apart from the URL, too, when the server is named.
select cctv.set_credentials('door', 'out', 'hunter4', '192.0.2.10:8554');
select * from pg_temp.secrets();
select cctv.set_credentials('door', 'viewer', 'hunter5');
select * from pg_temp.secrets();
select cctv.set_credentials('door', null, null, '192.0.2.10:8554');
select * from pg_temp.secrets();
select cctv.set_credentials('door', 'out', 'hunter3', '192.0.2.10:8554');

-- The engine is told.
update cctv.cameras set enabled = true where camera_id = :door;
insert into cctv.camera_status (camera_id, engine, state) values (:door, 77, 'running');
select c ->> 'publish_url' as url, c ->> 'publish_annotated' as annotated, c ->> 'publish_username' as username,
	c ->> 'publish_password' as password
from jsonb_array_elements(cctv.desired_state(77) -> 'cameras') as c;

-- And tells how it does.
create function pg_temp.tell(seq integer, publish jsonb, state text default null) returns void
	language sql as $$
	select cctv.ingest(jsonb_build_array(jsonb_build_object(
		'type', case when state is null then 'stats' else 'state' end,
		'camera_id', (select camera_id from cctv.cameras where name = 'door'),
		'session', '00000000000000000000000000000001', 'seq', seq, 'at', now(), 'state', state, 'publish', publish,
		'fps_in', 10, 'fps_decoded', 10, 'fps_analysed', 5, 'frames', 1, 'analysed', 1, 'skipped', 0, 'inferences', 0,
		'dropped_events', 0, 'reconnects', 0)))
$$;
create function pg_temp.told(out publishing text, out fps real, out dropped bigint, out reconnects integer, out health text)
	language sql as $$
	select v.publishing, h.publish_fps, h.publish_dropped, h.publish_reconnects,
		(select ok || ' ' || message from cctv.health() where item = 'publishing of "door"')
	from cctv.status as v
		join cctv.v_camera_health as h on h.camera = v.camera
	where v.camera = 'door'
$$;
select pg_temp.tell(1, '{"state":"publishing","message":"","fps":9.5,"dropped":3,"reconnects":1}');
select * from pg_temp.told();
select pg_temp.tell(2, '{"state":"failed","message":"connection refused","fps":0,"dropped":4,"reconnects":2}');
select * from pg_temp.told();
select pg_temp.tell(3, null);
select * from pg_temp.told();
select pg_temp.tell(4, '{"state":"publishing","message":"","fps":9.5,"dropped":3,"reconnects":1}');
select pg_temp.tell(5, null, 'reconnecting');
select * from pg_temp.told();
-- What makes no sense is refused.
\set VERBOSITY terse
select pg_temp.tell(6, '{"state":"dancing"}');
select pg_temp.tell(7, '{"state":"failed","fps":-1}');

-- What is removed keeps no secret.
select cctv.remove_camera(:door);
select count(*) from cctv.publish_secrets where camera_id = :door;
rollback;
