-- The same for recordings and pictures.

alter table cctv.recordings owner to cctv_worker;
alter table cctv.recording_status owner to cctv_worker;
grant execute on function
	cctv.recording_wish(cctv.cameras),
	cctv.record_alerts(cctv.alerts[]),
	cctv.store_pictures(cctv.event_line[]),
	cctv.store_segments(cctv.event_line[]),
	cctv.store_recordings(cctv.event_line[], boolean)
	to cctv_worker;

create trigger wake after insert or update of alert_until or delete or truncate on cctv.recording_status
	for each statement execute function cctv.wake();
alter table cctv.recording_status enable always trigger wake;
comment on trigger wake on cctv.recording_status is 'Wakes the worker at commit';

select pg_catalog.pg_extension_config_dump('cctv.recordings', '');
select pg_catalog.pg_extension_config_dump('cctv.recordings_recording_id_seq', '');
