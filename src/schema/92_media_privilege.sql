-- The same for recordings and pictures.

alter table cctv.recordings owner to cctv_worker;
alter table cctv.recording_status owner to cctv_worker;
alter table cctv.media_deletions owner to cctv_worker;
alter table cctv.media_status owner to cctv_worker;
alter function cctv.recordings_deleted() owner to cctv_worker;
alter function cctv.alerts_leave_evidence() owner to cctv_worker;
grant execute on function
	cctv.media_stat(text),
	cctv.media_sha256(bigint),
	cctv.media_list(text),
	cctv.media_remove(text),
	cctv.media_space(),
	cctv.media_claim(text),
	cctv.recording_wish(cctv.cameras),
	cctv.record_alerts(cctv.alerts[]),
	cctv.keep_picture(integer, jsonb),
	cctv.keep_export(integer, text, jsonb),
	cctv.keep_exports(integer, text, jsonb),
	cctv.store_pictures(cctv.event_line[]),
	cctv.store_segments(cctv.event_line[]),
	cctv.announce_recording(integer, text, text, boolean),
	cctv.announce_failure(integer, text, timestamptz, boolean),
	cctv.store_recordings(cctv.event_line[], boolean),
	cctv.note_deletions(cctv.recordings[], text),
	cctv.forget_recordings(bigint[], text),
	cctv.evidence_windows(cctv.alerts[]),
	cctv.recordings_of(cctv.alerts[]),
	cctv.mark_evidence(bigint[]),
	cctv.expire_media(cctv.cameras, integer),
	cctv.media_excess(),
	cctv.make_room(bigint, text, integer),
	cctv.remove_files(integer),
	cctv.settle_recordings(integer),
	cctv.measure_media(),
	cctv.check_files(integer),
	cctv.adopt_files(text),
	cctv.find_files(integer),
	cctv.maintain_media()
	to cctv_worker;

create trigger wake after insert or update of alert_until or delete or truncate on cctv.recording_status
	for each statement execute function cctv.wake();
alter table cctv.recording_status enable always trigger wake;
comment on trigger wake on cctv.recording_status is 'Wakes the worker at commit';

-- The files themselves are the administrator's to back up.
select pg_catalog.pg_extension_config_dump('cctv.recordings', '');
select pg_catalog.pg_extension_config_dump('cctv.recordings_recording_id_seq', '');
select pg_catalog.pg_extension_config_dump('cctv.media_deletions', '');
select pg_catalog.pg_extension_config_dump('cctv.media_deletions_deletion_id_seq', '');
