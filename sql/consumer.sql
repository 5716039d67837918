-- The sequence of events, and those who read it.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set timezone = 'UTC';
set datestyle = 'ISO';
begin;
insert into cctv.cameras (camera_id, name, url) values (-1, 'lobby', 'rtsp://192.0.2.7/1'), (-2, 'yard', 'rtsp://192.0.2.7/2');
select cctv.last_seq() as base \gset
select cctv.create_consumer('mail');
select cctv.create_consumer('pager', min_severity => 'critical');
select cctv.create_consumer('yard', cameras => '{-2}');
select cctv.create_consumer('people', types => '{person,error}');

create function pg_temp.alert(camera integer, type text, severity text default 'warning') returns bigint language sql as $$
	insert into cctv.alerts (camera_id, alert_type, label, confidence, at, x, y, w, h, severity, description)
	values (camera, type, type, 0.9, '2026-03-01 12:00:00+00', 0.1, 0.1, 0.1, 0.1, severity, type || ' seen')
	returning alert_id
$$;
create function pg_temp.state(camera integer, state text) returns bigint language sql as $$
	select cctv.record_states(array[row(camera, state, 'because', timestamptz '2026-03-01 12:00:00+00')::cctv.state_change], false)
$$;

-- Numbers come at the end of the transaction: no reader sees an event before.
select pg_temp.alert(-1, 'person') as first_alert \gset
select pg_temp.state(-2, 'starting');
select pg_temp.alert(-2, 'vehicle', 'critical') is not null as alerted;
select count(*) as numbered from cctv.alerts where camera_id < 0 and seq is not null;
select count(*) from cctv.consume('mail');
set constraints all immediate;
select seq - :base as n, kind, at, camera, type, severity, label, confidence, description, alert_id is null as no_alert, event_id is null as no_state, x
from cctv.consume('mail');
-- From now on each is numbered at once.
select pg_temp.alert(-2, 'person', 'info') is not null as alerted;
select pg_temp.state(-2, 'error');
select published_at between now() and clock_timestamp() as published from cctv.events_between(:base, :base + 9, 9);

-- The same until the offset is committed; each consumer by itself.
select array_agg(seq - :base) from cctv.consume('mail', 2);
select array_agg(seq - :base) from cctv.consume('mail', 2);
select cctv.commit_offset('mail', :base + 2);
select array_agg(seq - :base) from cctv.consume('mail', 2);
select cctv.commit_offset('mail', :base + 1);
select array_agg(seq - :base) from cctv.consume('mail', 100);
select array_agg(seq - :base) from cctv.consume('pager');
select array_agg(seq - :base) from cctv.consume('yard');
select array_agg(seq - :base) from cctv.consume('people');
select consumer, position - :base as position, behind, filtered from cctv.v_consumers order by consumer;
-- A consumer for which there is nothing need not look at the same events again.
select cctv.commit_offset('pager', :base + 3);
select count(*) from cctv.consume('pager');
select position - :base as position, behind from cctv.v_consumers where consumer = 'pager';

-- Replay.
select cctv.seek('mail', :base + 4);
select array_agg(seq - :base) from cctv.consume('mail');
select cctv.seek('mail', 0);
select min(seq) = 1 or :base > 0 as from_the_start from cctv.consume('mail', 1);
-- By time: published_at is told apart by rows here, as all of this is one transaction.
update cctv.alerts set published_at = timestamptz '2100-01-01 00:00+00' + (seq - :base) * interval '1 minute' where seq > :base;
update cctv.camera_events set published_at = timestamptz '2100-01-01 00:00+00' + (seq - :base) * interval '1 minute' where seq > :base;
select t, cctv.seek('mail', at => t) - :base as position
from unnest('{2099-12-31 00:00,2100-01-01 00:01,2100-01-01 00:01:01,2100-01-01 00:03,2100-01-01 00:05,2100-01-01 00:06,infinity}'::timestamptz[]) as t;
select cctv.seek('mail', at => '-infinity'::timestamptz);
-- Also when retention has taken away some.
delete from cctv.alerts where seq = :base + 3;
select cctv.seek('mail', at => '2100-01-01 00:02:30+00') - :base as position;
select array_agg(seq - :base) from cctv.consume('mail');

-- Clients that keep their position themselves.
select seq - :base as n, type, camera from cctv.alerts_since(:base);
select seq - :base as n from cctv.alerts_since(:base, 1);
select seq - :base as n from cctv.alerts_since(:base + 4);

-- What is rolled back leaves no hole.
savepoint s;
select pg_temp.alert(-1, 'ghost') is not null as alerted;
rollback to s;
select pg_temp.alert(-1, 'car') is not null as alerted;
select seq - :base as n, type from cctv.alerts_since(:base + 4);
-- A row that brings its number, as from a dump, keeps it.
insert into cctv.camera_events (camera_id, at, state, previous, seq) values (-1, now(), 'running', 'starting', :base + 1000);
select cctv.last_seq() - :base as last;
-- An event must not be lost by a crash after somebody has seen its number.
set local synchronous_commit = off;
select pg_temp.alert(-1, 'car') is not null as alerted;
show synchronous_commit;

-- What is wrong.
\set VERBOSITY terse
select cctv.create_consumer('mail');
select cctv.create_consumer('');
select cctv.create_consumer('x', -1);
select cctv.create_consumer('x', 1000000000);
select cctv.create_consumer('x', min_severity => 'loud');
select cctv.consume('nobody');
select cctv.consume('mail', 0);
select cctv.commit_offset('nobody', 1);
select cctv.commit_offset('mail', 1000000000);
select cctv.commit_offset('mail', null);
select cctv.seek('nobody', 1);
select cctv.seek('mail', -1);
select cctv.seek('mail', null::bigint);
select cctv.seek('mail', null::timestamptz);
select cctv.drop_consumer('nobody');
select cctv.drop_consumer('mail');
select consumer from cctv.v_consumers order by consumer;
rollback;
