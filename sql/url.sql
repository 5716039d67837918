-- URLs: how they are taken apart, and where their credentials go.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
begin;

select u.url, s.*
from (values (1, 'rtsp://192.0.2.7/stream1'),
	(2, 'rtsp://viewer:secret@192.0.2.7:554/stream1?channel=2'),
	(3, 'RTSPS://Viewer:Secret@Camera.Example/Stream'),
	(4, 'http://viewer@192.0.2.7/video.mjpeg'),
	(5, 'https://:secret@192.0.2.7/'),
	(6, 'rtsp://user:p@ss:w@rd@192.0.2.7/'),
	(7, 'rtsp://us%65r:p%40ss%2Fw%3Ard%25@192.0.2.7/'),
	(8, 'rtsp://user:100%@192.0.2.7/'),
	(9, 'rtsp://user:%C3%BC@192.0.2.7/'),
	(10, 'rtsp://user:pw@[2001:db8::7]:8554/live'),
	(11, 'rtsp://user:pw@192.0.2.7'),
	(12, 'rtsp://@192.0.2.7/'),
	(13, '/srv/video/a b@c.mp4'),
	(14, 'file:///srv/video/a%20b.mp4'),
	(15, '/dev/video0'),
	(16, null)) as u (n, url), cctv.split_url(u.url) as s
order by n;

-- What is refused.  No error tells any part of a URL.
create function pg_temp.complain(url text, out complaint text, out mend text)
	language plpgsql as $$
declare
	says text;
begin
	perform cctv.split_url(url);
	complaint := 'NONE';
exception when others then
	get stacked diagnostics says = message_text, complaint = pg_exception_detail, mend = pg_exception_hint;
	if sqlstate <> '22023' or says <> 'the camera''s URL is not valid'
		or says || complaint || mend ~ 'secret|hunter2'
	then
		raise exception 'unexpected: % % %', sqlstate, says, complaint;
	end if;
end
$$;
select u.url, c.complaint
from (values (1, ''), (2, 'lobby'), (3, 'viewer:hunter2@192.0.2.7'), (4, 'ftp://viewer:hunter2@192.0.2.7/'),
	(5, 'rtsp://'), (6, 'rtsp:///path'), (7, 'rtsp://viewer:hunter2@/path'), (8, 'rtsp://viewer:hunter2@:554/'),
	(9, 'rtsp://192.0.2.7:0/'), (10, 'rtsp://192.0.2.7:65536/'), (11, 'rtsp://192.0.2.7:port/'),
	(12, 'rtsp://viewer:hunter2/@192.0.2.7/'), (13, 'rtsp://viewer:554/hunter2@192.0.2.7/'),
	(14, 'rtsp://viewer:hunter?2@192.0.2.7/'), (15, 'rtsp://viewer:hunter#2@192.0.2.7/'),
	(16, 'rtsp://192.0.2.7/a b'), (17, 'rtsp://viewer:%FF%FE@192.0.2.7/'), (18, 'rtsp://viewer:%00hunter2@192.0.2.7/'),
	(19, 'file://server/path'), (20, 'file:relative'), (21, 'relative/path.mp4'), (22, 'rtsp://[2001:db8::7/'),
	(23, 'rtsp://2001:db8::7/'), (25, 'file:///%00'), (26, 'concat:/a|/b'), (27, 'rtsp:192.0.2.7')
	) as u (n, url), pg_temp.complain(u.url) as c
order by n;
select c.complaint, c.mend from pg_temp.complain('lobby') as c;
select c.complaint, c.mend from pg_temp.complain('rtsp://viewer:hunter?2@192.0.2.7/') as c;
select c.complaint from pg_temp.complain('rtsp://192.0.2.7/' || repeat('x', 2048)) as c;
select c.complaint from pg_temp.complain(e'rtsp://192.0.2.7/\nHost: hunter2') as c;
select c.complaint from pg_temp.complain('rtsp://viewer:' || repeat('x', 257) || '@192.0.2.7/') as c;

-- Credentials are stored apart.
select cctv.add_camera('door', 'rtsp://viewer:hunter2@192.0.2.7/main') as door
\gset
create function pg_temp.secrets() returns table (camera text, url text, detect_url text, authority text, username text, password text)
	language sql as $$
	select c.name, c.url, c.detect_url, s.authority, s.username, s.password
	from cctv.cameras as c left join cctv.camera_secrets as s using (camera_id)
	where c.name = 'door'
	order by 1, 4
$$;
select * from pg_temp.secrets();
-- A change that does not touch the URL leaves them; so does a path.
update cctv.cameras set detect_fps = 3 where name = 'door';
update cctv.cameras set url = 'rtsp://192.0.2.7/main2' where name = 'door';
select * from pg_temp.secrets();
-- A sub-stream of the same host needs none of its own.
update cctv.cameras set detect_url = 'rtsp://192.0.2.7/sub' where name = 'door';
select * from pg_temp.secrets();
-- They are sent to no other host.
update cctv.cameras set detect_url = 'rtsp://192.0.2.66/sub' where name = 'door';
select * from pg_temp.secrets();
insert into cctv.camera_status (camera_id, engine) values (:door, 1);
select c ->> 'detect_url' as detect_url, c ->> 'username' as username, c ->> 'password' as password
from jsonb_array_elements(cctv.desired_state(1) -> 'cameras') as c;
update cctv.cameras set detect_url = null where name = 'door';
select c ->> 'url' as url, c ->> 'username' as username, c ->> 'password' as password
from jsonb_array_elements(cctv.desired_state(1) -> 'cameras') as c;
update cctv.cameras set url = 'rtsp://192.0.2.66/main' where name = 'door';
select * from pg_temp.secrets();
-- New ones replace old ones; two hosts may have two.
update cctv.cameras set url = 'rtsp://a:1@192.0.2.7/', detect_url = 'http://b:2@192.0.2.8:8080/sub' where name = 'door';
update cctv.cameras set url = 'rtsp://a:3@192.0.2.7/' where name = 'door';
select * from pg_temp.secrets();
update cctv.cameras set url = 'rtsp://a:1@192.0.2.7/', detect_url = 'rtsp://a:2@192.0.2.7/sub' where name = 'door';
update cctv.cameras set url = '/srv/video/door.mp4', detect_url = null where name = 'door';
select * from pg_temp.secrets();
-- The foreign key holds at the end of the transaction.
set constraints all immediate;
set constraints all deferred;
insert into cctv.camera_secrets values (-1, 'x', 'y', 'z');
set constraints all immediate;

-- With triggers off a URL with credentials is still refused.
set session_replication_role = replica;
insert into cctv.cameras (name, url) values ('replica', 'rtsp://192.0.2.7/main');
\set VERBOSITY terse
insert into cctv.cameras (name, url) values ('replica 2', 'rtsp://viewer:hunter2@192.0.2.7/main');
insert into cctv.cameras (name, url, detect_url) values ('replica 2', '/a', 'rtsp://viewer:hunter2@192.0.2.7/main');

rollback;
