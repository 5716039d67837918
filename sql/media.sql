-- Media: bytes, hashes, and what becomes of files.  Needs a server on this
-- machine whose media directory it may write.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
set client_min_messages = warning;

select cctv.media_directory() as media_dir
\gset
-- Shell commands and files, as the server.
create function pg_temp.run(command text) returns void
	language plpgsql as $$ begin execute format('copy (select) to program %L', 'cat >/dev/null; ' || command); end $$;
create function pg_temp.write(path text, content text) returns void
	language plpgsql as $$ begin execute format('copy (select %L) to %L', content, path); end $$;
select set_config('regress.media', :'media_dir' || '/-1/2020-01-02', false) is not null as is_set;
select pg_temp.run(format('mkdir -p -m 700 %s', current_setting('regress.media')));
select pg_temp.write(current_setting('regress.media') || '/' || n || '.mp4', 'segment ' || n) from generate_series(1, 9) as n;

-- These rows are committed: files are only removed for what is.
insert into cctv.cameras (camera_id, name, url) values (-1, 'media', 'rtsp://192.0.2.1/1');
insert into cctv.recordings (recording_id, camera_id, kind, state, path, reason, started_at, ended_at, bytes, sha256)
select -n, -1, 'recording', 'complete', format('-1/2020-01-02/%s.mp4', n), 'continuous',
	now() - n * interval '1 hour', now() - n * interval '1 hour' + interval '1 minute', 10,
	sha256(format(e'segment %s\n', n)::bytea)
from generate_series(1, 9) as n;

-- Bytes, whole and in parts.
select convert_from(cctv.media(-1), 'UTF8') as all, convert_from(cctv.media(-1, 8), 'UTF8') as rest,
	convert_from(cctv.media(-1, 2, 3), 'UTF8') as part, cctv.media(-1, 100) as beyond, cctv.media(-1, 3, 0) as nothing,
	cctv.media(-1, 9, 2147483647) as less, cctv.media(null) as null;
select cctv.media(-1, -1);
select cctv.media(-1, 0, -1);
select cctv.media(-4711);
select bytes, modified_at > now() - interval '1 hour' as is_new, problem from cctv.media_stat('-1/2020-01-02/1.mp4');
select * from cctv.media_stat('-1/2020-01-02/none.mp4');
select free_bytes > 0 and free_bytes <= total_bytes as measured from cctv.media_space();

-- No path leads out of the directory.
begin;
update cctv.recordings set state = 'complete' where recording_id = -1;
select pg_temp.run(format('ln -s /etc/passwd %s/link.mp4 && ln -s / %1$s/../root && mkfifo %1$s/pipe.mp4 && mkdir %1$s/dir.mp4', current_setting('regress.media')));
select p.path, s.* from unnest('{/etc/passwd,../../PG_VERSION,-1/../-1/2020-01-02/1.mp4,./-1/2020-01-02/1.mp4,-1//2020-01-02/1.mp4,-1/2020-01-02/,""}'::text[]) as p (path),
	cctv.media_stat(p.path) as s;
select p.path, s.* from unnest('{-1/2020-01-02/link.mp4,-1/root/etc/passwd,-1/2020-01-02/pipe.mp4,-1/2020-01-02/dir.mp4,-1/2020-01-02/1.mp4/x}'::text[]) as p (path),
	cctv.media_stat(p.path) as s;
select cctv.media_remove('/etc/passwd'), cctv.media_remove('-1/root/etc/passwd') is not null as refused;
update cctv.recordings set path = '-1/2020-01-02/link.mp4' where recording_id = -1;
select cctv.media(-1);
update cctv.recordings set path = '-1/2020-01-02/pipe.mp4' where recording_id = -1;
select cctv.media(-1);
select cctv.verify(-1);
rollback;
-- A link itself may go.
select cctv.media_remove('-1/2020-01-02/link.mp4'), cctv.media_remove('-1/root'), cctv.media_remove('-1/2020-01-02/pipe.mp4');
select pg_temp.run(format('rmdir %s/dir.mp4', current_setting('regress.media')));

-- Within the caller's rights, row by row.
begin;
create role regress_cctv_viewer;
grant cctv_viewer to regress_cctv_viewer;
set local role regress_cctv_viewer;
select cctv.media(-1);
reset role;
select cctv.grant_camera(-1, 'regress_cctv_viewer');
create policy only_one on cctv.recordings as restrictive for select to regress_cctv_viewer using (recording_id = -2);
set local role regress_cctv_viewer;
select convert_from(cctv.media(-2), 'UTF8');
select cctv.media(-1);
select cctv.verify(-2);
select cctv.verify(-1);
select cctv.media_stat('-1/2020-01-02/1.mp4');
select cctv.media_remove('-1/2020-01-02/1.mp4');
reset role;
rollback;

-- Is a file what it was?
begin;
select cctv.verify(-1);
update cctv.recordings set sha256 = sha256('other') where recording_id = -1;
select cctv.verify(-1);
update cctv.recordings set sha256 = null where recording_id = -1;
select cctv.verify(-1);
update cctv.recordings set path = '-1/2020-01-02/none.mp4' where recording_id = -1;
select cctv.verify(-1);
update cctv.recordings set state = 'open' where recording_id = -1;
select cctv.verify(-1);
select cctv.verify(-4711);
rollback;

-- The picture of an alert.
begin;
insert into cctv.alerts (alert_id, camera_id, alert_type, description, at, snapshot) values
	(-1, -1, 'person', 'person', now(), '-1/2020-01-02/1.mp4'), (-2, -1, 'person', 'person', now(), null);
select cctv.snapshot(-1);
update cctv.recordings set kind = 'snapshot' where recording_id = -1;
select convert_from(cctv.snapshot(-1), 'UTF8'), cctv.snapshot(-2), cctv.snapshot(-4711);
rollback;

-- A picture taken by hand gets a row, and nothing else does.
begin;
select pg_temp.write(current_setting('regress.media') || '/120000.000-0.jpg', 'picture');
select cctv.keep_picture(-1, '{"path": "-1/2020-01-02/120000.000-0.jpg", "at": "2020-01-02 12:00:00Z", "width": 640, "height": 480, "bytes": 1}') is not null as kept;
select kind, reason, started_at, bytes, width, height, deletion_rank, cctv.verify(recording_id), convert_from(cctv.media(recording_id), 'UTF8')
from cctv.recordings where path like '%-0.jpg';
-- The engine tells of it too, earlier or later: it is one row.
select cctv.keep_picture(-1, '{"path": "-1/2020-01-02/120000.000-0.jpg", "at": "2020-01-02 12:00:00Z"}') = recording_id as same
from cctv.recordings where path like '%-0.jpg';
select cctv.ingest('[{"type": "snapshot", "camera_id": -1, "session": "00000000000000000000000000000009", "seq": 1, "track": 0,
	"at": "2020-01-02T12:00:00Z", "path": "-1/2020-01-02/120000.000-0.jpg", "bytes": 8, "width": 640, "height": 480}]');
select count(*), min(reason) as reason, min(bytes) as bytes from cctv.recordings where path like '%-0.jpg';
select cctv.keep_picture(-1, '{"path": "-1/2020-01-02/120000.001-0.jpg", "at": "2020-01-02 12:00:00Z"}');
select cctv.keep_picture(-1, '{"path": "-1/2020-01-02/1.mp4", "at": "2020-01-02 12:00:00Z"}');
select cctv.keep_picture(-2, '{"path": "-1/2020-01-02/120000.000-0.jpg", "at": "2020-01-02 12:00:00Z"}');
select cctv.keep_picture(-1, '{}');
select pg_temp.run(format('rm %s/120000.000-0.jpg', current_setting('regress.media')));
rollback;

-- Protected is protected; what goes leaves a trace, and its file goes after the
-- commit.
select cctv.protect(-1);
select cctv.protect(-4711);
delete from cctv.recordings where recording_id = -1;
select cctv.forget_recordings('{-1}', 'age');
create view pg_temp.d as
select d.recording_id, d.camera, d.path, d.bytes, d.why, d.deleted_by = quote_ident(session_user)::regrole as by_me,
	(cctv.media_stat(d.path)).bytes is null as is_gone, d.removed_at is not null as is_removed, d.problem
from cctv.media_deletions as d
where d.camera_id = -1
order by d.deletion_id;
begin;
delete from cctv.recordings where recording_id = -2;
select cctv.forget_recordings('{-3}', 'max_bytes');
select cctv.remove_files(100);
select * from pg_temp.d;
commit;
-- The worker may have been quicker.
select cctv.remove_files(100);
select * from pg_temp.d;
-- What cannot be removed is tried again later; a name that was given anew is spared.
begin;
delete from cctv.media_deletions where camera_id = -1;
insert into cctv.media_deletions (recording_id, camera_id, kind, path, started_at, why, deleted_by, deleted_in) values
	(-20, -1, 'recording', '-1', now(), 'age', current_user::regrole, '3'),
	(-21, -1, 'recording', '-1/2020-01-02/4.mp4', now(), 'age', current_user::regrole, '3'),
	(-22, -1, 'recording', '-1/2020-01-02/none.mp4', now(), 'age', current_user::regrole, '3');
select cctv.remove_files(100);
select recording_id, removed_at is not null as is_removed, tried_at is not null as is_tried, problem
from cctv.media_deletions where camera_id = -1 order by recording_id desc;
select (cctv.media_stat('-1/2020-01-02/4.mp4')).bytes;
rollback;

-- By age and reason.
begin;
update cctv.cameras set removed_at = now(), purge = true, enabled = false where camera_id > 0;
update cctv.cameras set continuous_retention = '5 hours', motion_retention = '6 hours', alert_retention = '7 hours', retention = null
where camera_id = -1;
update cctv.recordings set reason = (array['continuous', 'scheduled', 'motion', 'manual', 'alert'])[1 - (recording_id % 5)]
where camera_id = -1;
insert into cctv.recordings (camera_id, kind, state, path, reason, started_at, ended_at, bytes)
select -1, 'recording', 'complete', format('-1/2020-01-02/%s-%s.mp4', age, reason), reason, now() - make_interval(hours => age),
	now() - make_interval(hours => age) + interval '1 minute', 10
from generate_series(4, 8) as age, unnest('{continuous,scheduled,motion,manual,alert}'::text[]) as reason;
insert into cctv.recordings (camera_id, kind, state, path, started_at, ended_at, bytes) values
	(-1, 'snapshot', 'complete', '-1/2020-01-02/8.jpg', now() - interval '8 hours', now() - interval '8 hours', 10);
insert into cctv.recordings (camera_id, kind, state, path, reason, started_at) values
	(-1, 'recording', 'open', '-1/2020-01-02/9-open.mp4', 'continuous', now() - interval '9 hours');
update cctv.recordings set protected = true where path = '-1/2020-01-02/8-scheduled.mp4';
-- An alert at the end of the oldest continuous one: evidence.
insert into cctv.alerts (alert_id, camera_id, alert_type, description, at) values
	(-1, -1, 'person', 'person', now() - interval '6 hours' + interval '62 seconds');
select cctv.expire_media(c, 100) as done from cctv.cameras as c where camera_id = -1;
select reason, string_agg(replace(path, '-1/2020-01-02/', ''), ' ' order by path) as kept
from cctv.recordings
where camera_id = -1 and path like '%-%-%-%-%'
group by reason order by reason;
select kind, reason, why, count(*) from cctv.media_deletions where camera_id = -1 and path ~ '-.*-.*-.*-|jpg' group by 1, 2, 3 order by 1, 2;
select path, evidence, deletion_rank from cctv.recordings where camera_id = -1 and evidence order by path collate "C";
-- Evidence it remains when the alert has gone, but not for ever.
delete from cctv.alerts where alert_id = -1;
select cctv.expire_media(c, 100) as done from cctv.cameras as c where camera_id = -1;
select count(*) from cctv.recordings where path = '-1/2020-01-02/6-continuous.mp4';
update cctv.cameras set alert_retention = '4 hours' where camera_id = -1;
select cctv.expire_media(c, 100) as done from cctv.cameras as c where camera_id = -1;
select count(*) from cctv.recordings where path = '-1/2020-01-02/6-continuous.mp4';
rollback;

-- An alert that is deleted first marks its evidence.
begin;
insert into cctv.alerts (alert_id, camera_id, alert_type, description, at, ended_at) values
	(-1, -1, 'person', 'person', now() - interval '3 hours 2 minutes', now() - interval '2 hours 58 minutes'),
	(-2, -1, 'person', 'person', now() - interval '20 hours', now());
update cctv.recordings set started_at = now() - interval '20 hours' + interval '2 minutes', ended_at = now() - interval '19 hours'
where recording_id = -9;
insert into cctv.recordings (recording_id, camera_id, kind, state, path, started_at, ended_at, bytes, alert_id) values
	(-30, -1, 'snapshot', 'complete', '-1/2020-01-02/30.jpg', now() - interval '9 hours', now() - interval '9 hours', 10, -1);
insert into cctv.recordings (recording_id, camera_id, kind, state, path, reason, started_at, ended_at, bytes) values
	(-31, -1, 'recording', 'complete', '-1/2020-01-02/31.mp4', 'continuous', now() - interval '3 hours', now() - interval '179 minutes', 10),
	(-32, -1, 'recording', 'complete', '-1/2020-01-02/32.mp4', 'continuous', now() - interval '1 minute', now(), 10);
savepoint evidence;
delete from cctv.alerts where alert_id in (-1, -2);
select recording_id, evidence, alert_id from cctv.recordings where camera_id = -1 and deletion_rank = 3 order by recording_id desc;
-- As long as it lasts, where the camera says so; and before it is deleted.
rollback to evidence;
update cctv.cameras set evidence_limit = null where camera_id = -1;
select cctv.mark_evidence('{-5, -9, -32}');
select recording_id from cctv.recordings where evidence order by 1;
-- One that goes on has lasted until now.
rollback to evidence;
insert into cctv.tracks (track_id, camera_id, session, engine_track, label, model, first_seen, last_seen, hits,
	best_confidence, best_at, best_x, best_y, best_w, best_h)
values (-1, -1, gen_random_uuid(), 1, 'person', 'objects', now() - interval '20 hours', now(), 1, 0.9, now(), 0, 0, 1, 1);
update cctv.alerts set ended_at = null, track_id = -1 where alert_id = -2;
select cctv.mark_evidence('{-5, -9, -32}');
select recording_id from cctv.recordings where evidence order by 1;
rollback;

-- For room: oldest first, evidence last, protected never.
begin;
update cctv.recordings set protected = true where camera_id <> -1;
insert into cctv.recordings (recording_id, camera_id, kind, state, path, reason, started_at, ended_at, bytes)
select -100 - n, -1, 'recording', 'complete', format('-1/2020-01-02/%s.mp4', 100 + n),
	(array['alert', 'manual', 'motion', 'continuous', 'continuous', 'continuous'])[n], now() - (200 - n) * interval '1 hour',
	now() - (200 - n) * interval '1 hour', 100
from generate_series(1, 6) as n;
insert into cctv.alerts (alert_id, camera_id, alert_type, description, at) values (-1, -1, 'person', 'person', now() - interval '196 hours');
delete from cctv.recordings where recording_id > -100 and camera_id = -1 and not protected;
create view pg_temp.left as
select string_agg(recording_id::text, ' ' order by recording_id desc) as left
from cctv.recordings where camera_id = -1;
select * from pg_temp.left;
select cctv.make_room(150, 'min_free', 1000);
select * from pg_temp.left;
select cctv.make_room(1, 'max_bytes', 1000);
select * from pg_temp.left;
select cctv.make_room(0, 'max_bytes', 1000);
select cctv.make_room(150, 'max_bytes', 1);
select * from pg_temp.left;
select cctv.make_room(1000, 'max_bytes', 1000);
select * from pg_temp.left;
select recording_id, why from cctv.media_deletions where recording_id < -100 order by deletion_id;
rollback;

-- What an engine left open is completed by its file; what is not there is
-- missing, until it is back.
begin;
update cctv.recordings set state = 'open', ended_at = null, bytes = null, created_at = now() - interval '2 minutes'
where recording_id in (-5, -6);
update cctv.recordings set path = '-1/2020-01-02/none.mp4' where recording_id = -6;
update cctv.recordings set state = 'open', ended_at = null, bytes = null where recording_id = -7;
insert into cctv.sessions (session, camera_id) values ('00000000000000000000000000000001', -1);
update cctv.recordings set state = 'open', created_at = now() - interval '2 minutes', session = '00000000000000000000000000000001'
where recording_id = -8;
select cctv.settle_recordings(100);
select recording_id, state, bytes, ended_at > started_at as has_end, cctv.verify(recording_id) from cctv.recordings where recording_id in (-5, -6, -7, -8) order by 1 desc;
update cctv.sessions set ended_at = now() - interval '2 minutes' where session = '00000000000000000000000000000001';
select cctv.settle_recordings(100);
select recording_id, state from cctv.recordings where recording_id in (-7, -8) order by 1 desc;
delete from cctv.notifications;
delete from cctv.recordings where camera_id <> -1 and not protected;
update cctv.recordings set path = '-1/2020-01-02/none-9.mp4' where recording_id = -9;
select cctv.measure_media();
update cctv.media_status set checked_upto = -1000;
select cctv.check_files(3);
select checked_upto from cctv.media_status;
select recording_id, state from cctv.recordings where state = 'missing' order by 1;
select kind, topic, message from cctv.notifications;
select pg_temp.write(current_setting('regress.media') || '/none-9.mp4', 'segment 9');
update cctv.media_status set checked_upto = -1000;
select cctv.check_files(1);
select state from cctv.recordings where recording_id = -9;
select pg_temp.run(format('rm %s/none-9.mp4', current_setting('regress.media')));
rollback;

-- A file without a row gets one, unless it is new, about to be deleted, or none
-- of ours.
begin;
delete from cctv.notifications;
select pg_temp.write(current_setting('regress.media') || '/' || name, 'found')
from unnest('{120000.500Z-motion.mp4,120001.000-7.jpg,120002.000Z-alert.mp4,120003.000Z-alert.mp4,120004.000Z-clip.mp4,120005.000Z-timelapse.mp4,120006.000-7.jpg.tmp,996199.999Z-alert.mp4,notes.txt}'::text[]) as name;
select pg_temp.run(format('cd %s && touch -d "2020-01-02 12:05:00Z" 1*00* notes.txt && touch 120002*', current_setting('regress.media')));
insert into cctv.media_deletions (recording_id, camera_id, kind, path, started_at, why, deleted_by)
values (-40, -1, 'recording', '-1/2020-01-02/120003.000Z-alert.mp4', now(), 'age', current_user::regrole);
select array(select name from unnest(cctv.media_list('-1/2020-01-02')) as name where name like '1%0%' order by name collate "C") as listed,
	cctv.media_list('-1') as days, cctv.media_list('/etc'), cctv.media_list('..'), cctv.media_list('-1/none');
select cctv.measure_media();
update cctv.media_status set listed_upto = '';
select cctv.find_files(20);
select path, kind, reason, state, started_at, ended_at, bytes, cctv.verify(recording_id)
from cctv.recordings where camera_id = -1 and recording_id > 0 order by path collate "C";
select kind, topic, message from cctv.notifications;
select cctv.find_files(20);
select cctv.find_files(20);
select count(*) from cctv.notifications;
select pg_temp.run(format('cd %s && test ! -e 120006.000-7.jpg.tmp', current_setting('regress.media')));
select pg_temp.run(format('cd %s && rm 12000* 996199* notes.txt', current_setting('regress.media')));
rollback;

-- Files of before databases had directories of their own find their place.
select pg_temp.run(format('cd %s && mkdir -p ../../../-1/2020-01-02 && mv 9.mp4 ../../../-1/2020-01-02', current_setting('regress.media')));
select cctv.verify(-9);
select cctv.media_claim('-1/2020-01-02/9.mp4'), cctv.media_claim('-1/2020-01-02/9.mp4') as again, cctv.media_claim('../x'),
	cctv.media_claim('-1/2020-01-02/none.mp4') as none;
select cctv.verify(-9);
select pg_temp.run(format('cd %s/../../.. && rmdir -p ./-1/2020-01-02 2>/dev/null; test ! -e ./-1', current_setting('regress.media')));

-- What is stored, for people and dashboards.
select camera, kind, reason, sum(files) as files, sum(bytes) as bytes, sum(protected_files) as protected
from cctv.v_storage where camera_id = -1 group by 1, 2, 3;
select sum(files) as files, sum(bytes) as bytes from cctv.storage where camera = 'media' and kind = 'recording';
select recording_id, camera, duration_s, evidence, protected, sha256 = encode(sha256(e'segment 9\n'), 'hex') as same from cctv.v_recordings where recording_id = -9;

-- A camera that is removed with its history takes its files along, those of which
-- nobody told and half-made ones, too; the empty directory of a bygone day goes
-- with its last file.
select pg_temp.run(format('cd %s && touch 130000.000-1.jpg 130000.000-1.jpg.tmp', current_setting('regress.media')));
select cctv.unprotect(-1);
select cctv.remove_camera(-1, keep_history => false);
select cctv.maintain();
select cctv.maintain();
select count(*) as cameras from cctv.cameras where camera_id = -1;
select why, count(*), bool_and(is_gone) as gone from pg_temp.d group by why order by why;
select pg_temp.run(format('test ! -e %s', current_setting('regress.media')));
delete from cctv.media_deletions where camera_id = -1;
select pg_temp.run(format('rmdir %s', regexp_replace(current_setting('regress.media'), '/[^/]*$', '')));
