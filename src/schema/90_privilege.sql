-- Who owns what, who may do what, what pg_dump takes along.

-- The worker writes these and nobody else does.
alter table cctv.camera_secrets owner to cctv_worker;
alter table cctv.publish_secrets owner to cctv_worker;
alter table cctv.camera_status owner to cctv_worker;
alter table cctv.camera_events owner to cctv_worker;
alter table cctv.sessions owner to cctv_worker;
alter table cctv.engine_status owner to cctv_worker;
alter table cctv.tracks owner to cctv_worker;
alter table cctv.detections owner to cctv_worker;
alter table cctv.alerts owner to cctv_worker;

-- It reads the configuration, and deletes the rows of removed cameras.
grant select, delete on cctv.cameras to cctv_worker;
grant select on cctv.models to cctv_worker;

-- Security definer, so that it makes no difference who calls them.
alter function cctv.camera_credentials() owner to cctv_worker;
alter function cctv.publish_credentials() owner to cctv_worker;
alter function cctv.ingest(jsonb, boolean) owner to cctv_worker;
alter function cctv.maintain() owner to cctv_worker;
alter function cctv.assign_engines(integer, boolean) owner to cctv_worker;
alter function cctv.desired_state(integer) owner to cctv_worker;
alter function cctv.engine_lost(integer, text, boolean) owner to cctv_worker;
alter function cctv.quarantine(integer, text, boolean) owner to cctv_worker;
alter function cctv.worker_started(integer, boolean) owner to cctv_worker;

-- What they are made of.
grant execute on function
	cctv.split_url(text),
	cctv.split_publish_url(text),
	cctv.percent_decode(text),
	cctv.url_authority(text),
	cctv.state_payload(cctv.camera_events, text),
	cctv.record_states(cctv.state_change[], boolean),
	cctv.end_sessions(uuid[]),
	cctv.open_sessions(integer[]),
	cctv.day_start(date),
	cctv.partitions(),
	cctv.make_partition(date),
	cctv.keeps_from(cctv.cameras),
	cctv.is_wanted(date),
	cctv.expire(cctv.cameras, date, integer),
	cctv.forget(cctv.cameras),
	cctv.alert_type(text),
	cctv.alert_payload(cctv.alerts, text),
	cctv.read_lines(jsonb),
	cctv.session_parts(cctv.event_line[]),
	cctv.new_lines(cctv.event_line[], cctv.session_part[]),
	cctv.make_partitions(date, date, cctv.event_line[]),
	cctv.store_objects(cctv.event_line[]),
	cctv.store_snapshots(cctv.event_line[]),
	cctv.store_track_ends(cctv.event_line[]),
	cctv.end_superseded_sessions(cctv.session_part[]),
	cctv.store_stats(cctv.event_line[]),
	cctv.store_states(cctv.event_line[], boolean),
	cctv.desired_cameras(),
	cctv.stop_undesired(integer[], boolean),
	cctv.start_desired(integer[], boolean),
	cctv.place_cameras(integer[], integer),
	cctv.version()
	to cctv_worker;

-- Nothing is anybody's.
revoke all on all tables in schema cctv from public;
revoke all on all functions in schema cctv from public;
revoke all on type cctv.state_change, cctv.report, cctv.event_line, cctv.session_part from public;
grant usage on type cctv.state_change, cctv.report, cctv.event_line, cctv.session_part to cctv_worker;

-- Wake the worker after a change of the configuration, also one made with
-- session_replication_role = replica.  Logical replication fires no statement
-- triggers: what it brings the worker sees at its next look, within 10 s.  Last,
-- so that this script wakes nobody.
create trigger wake after insert or update or delete or truncate on cctv.cameras
	for each statement execute function cctv.wake();
alter table cctv.cameras enable always trigger wake;
comment on trigger wake on cctv.cameras is 'Wakes the worker at commit';
create trigger wake after insert or update or delete or truncate on cctv.camera_secrets
	for each statement execute function cctv.wake();
alter table cctv.camera_secrets enable always trigger wake;
comment on trigger wake on cctv.camera_secrets is 'Wakes the worker at commit';
create trigger wake after insert or update or delete or truncate on cctv.publish_secrets
	for each statement execute function cctv.wake();
alter table cctv.publish_secrets enable always trigger wake;
comment on trigger wake on cctv.publish_secrets is 'Wakes the worker at commit';
create trigger wake after insert or update or delete or truncate on cctv.models
	for each statement execute function cctv.wake();
alter table cctv.models enable always trigger wake;
comment on trigger wake on cctv.models is 'Wakes the worker at commit';

-- Cameras and history go with a dump, and how far their analysis had come, so that
-- a file that was finished is not analysed again; passwords do not, nor does what
-- is only true of a running engine.
select pg_catalog.pg_extension_config_dump('cctv.models', 'where not builtin');
select pg_catalog.pg_extension_config_dump('cctv.cameras', '');
select pg_catalog.pg_extension_config_dump('cctv.cameras_camera_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.camera_status', '');
select pg_catalog.pg_extension_config_dump('cctv.sessions', '');
select pg_catalog.pg_extension_config_dump('cctv.camera_events', '');
select pg_catalog.pg_extension_config_dump('cctv.camera_events_event_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.tracks', '');
select pg_catalog.pg_extension_config_dump('cctv.tracks_track_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.alerts', '');
select pg_catalog.pg_extension_config_dump('cctv.alerts_alert_id_seq', '');
