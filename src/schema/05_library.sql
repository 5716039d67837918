-- Functions of the library pg_cctv.so.

create function cctv.version() returns text
	language c stable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_version';
comment on function cctv.version() is 'Version of the loaded library';

create function cctv.worker_pid() returns integer
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_worker_pid';
comment on function cctv.worker_pid() is
	'Process id of this database''s worker, null when there is none';

create function cctv.ingest_status(
	out stored bigint, out dropped bigint, out batches bigint, out retries bigint,
	out waiting bigint, out waiting_bytes bigint) returns record
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_ingest_status';
comment on function cctv.ingest_status() is
	'Events that the worker has stored and that the database refused, transactions and failed attempts since its start, and what waits; null when it does not run';

create function cctv.require_worker() returns void
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_require_worker';
comment on function cctv.require_worker() is
	'Raises an error that says what to set unless a worker serves this database';

create function cctv.wake() returns trigger
	language c volatile
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_wake';
comment on function cctv.wake() is
	'Statement trigger: wakes the worker once the transaction has committed';
