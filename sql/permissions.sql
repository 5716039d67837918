-- Permissions: nothing for nobody; who may change cameras cannot read secrets.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
begin;
create role regress_cctv_nobody;
create role regress_cctv_keeper;

-- Without a grant: nothing.
set local role regress_cctv_nobody;
select * from cctv.status;
select * from cctv.cameras;
select cctv.health();
reset role;
grant usage on schema cctv to regress_cctv_nobody, regress_cctv_keeper;
set local role regress_cctv_nobody;
select * from cctv.status;
select * from cctv.cameras;
select * from cctv.camera_secrets;
select * from cctv.detections;
insert into cctv.alerts (camera_id) values (1);
select cctv.health();
select cctv.add_camera('mine', 'rtsp://192.0.2.7/');
select cctv.ingest('[]');
select cctv.desired_state(1);
select cctv.split_url('rtsp://192.0.2.7/');
create table cctv.mine (x integer);
reset role;

-- No relation, function or sequence is open to a role without grants.
select c.oid::regclass as relation, p as privilege
from pg_class as c, unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) as p
where c.relnamespace = 'cctv'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
	and has_table_privilege('regress_cctv_nobody', c.oid, p);
select c.oid::regclass as sequence
from pg_class as c
where c.relnamespace = 'cctv'::regnamespace
	and case when c.relkind = 'S' then has_sequence_privilege('regress_cctv_nobody', c.oid, 'usage, select, update') end;
select oid::regprocedure as function
from pg_proc
where pronamespace = 'cctv'::regnamespace and has_function_privilege('regress_cctv_nobody', oid, 'execute');

-- A keeper of cameras moves credentials to a table that only the worker reads.
grant cctv_operator to regress_cctv_keeper;
grant insert on cctv.cameras to regress_cctv_keeper;
set local role regress_cctv_keeper;
insert into cctv.cameras (camera_id, name, url) values (-1, 'mine', 'rtsp://viewer:hunter2@192.0.2.7/');
update cctv.cameras set detect_url = 'rtsp://viewer:hunter2@192.0.2.7/sub' where camera_id = -1;
select url, detect_url, owner from cctv.cameras where camera_id = -1;
select password from cctv.camera_secrets;
delete from cctv.cameras where camera_id = -1;
reset role;

-- The worker can do its work, and cannot change the configuration.
set local role cctv_worker;
select username, password from cctv.camera_secrets where camera_id = -1;
select count(*) from cctv.assign_engines(16) where camera_id = -1;
select cctv.ingest('[]');
select cctv.maintain();
update cctv.cameras set enabled = true where camera_id = -1;
insert into cctv.models (name) values ('mine');
\set VERBOSITY terse
-- The detail differs between versions.
create role regress_cctv_more;
\set VERBOSITY default
reset role;

-- Whoever calls them, partitions belong to the worker.
select pg_get_userbyid(c.relowner) as owner, count(*) > 0 as some
from cctv.partitions() as p join pg_class as c on c.oid = p.partition
group by 1;

-- What somebody puts on the path, or into pg_temp, is not called.
create function pg_temp.now() returns timestamptz language plpgsql as $$ begin raise 'hijacked'; end $$;
create function public.now() returns timestamptz language plpgsql as $$ begin raise 'hijacked'; end $$;
create temp table cameras (camera_id integer);
create temp table sessions (session uuid);
set local search_path = pg_temp, public, cctv, pg_catalog;
select cctv.maintain();
select cctv.ingest('[]');
select count(*) from cctv.assign_engines(16) where camera_id = -1;

rollback;

-- DROP EXTENSION takes everything along, partitions too.
begin;
select cctv.maintain();
-- It names a directory of this server.
set client_min_messages = warning;
drop extension pg_cctv;
reset client_min_messages;
select relname from pg_class where relname ~ '^detections_[0-9]';
select nspname from pg_namespace where nspname = 'cctv';
-- A worker's role that could do too much, or that somebody could become, is
-- refused.
create role regress_cctv_nobody;
alter role cctv_worker createdb;
create extension pg_cctv;
alter role cctv_worker nocreatedb superuser;
create extension pg_cctv;
alter role cctv_worker nosuperuser nologin;
create extension pg_cctv;
alter role cctv_worker login connection limit -1;
create extension pg_cctv;
alter role cctv_worker connection limit 0;
grant cctv_worker to regress_cctv_nobody;
create extension pg_cctv;
revoke cctv_worker from regress_cctv_nobody;
grant regress_cctv_nobody to cctv_worker;
create extension pg_cctv;
revoke regress_cctv_nobody from cctv_worker;
-- So is a schema that somebody else has made.
create schema cctv;
create extension pg_cctv;
drop schema cctv;
create extension pg_cctv;
select count(*) from cctv.cameras;
rollback;
