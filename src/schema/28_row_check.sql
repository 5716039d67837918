-- A row that breaks a rule is refused in words.
--
-- PostgreSQL names the constraint that a row breaks, and shows all of the row.
-- This trigger comes first: the comment of a CHECK constraint is its message.
-- Constraints without a comment, and rows written while triggers are off, are
-- left to PostgreSQL.  Triggers fire in the order of their names, so it comes
-- after those that complete a row.

create function cctv.check_row() returns trigger
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	fields jsonb := to_jsonb(new);
	field record;
	rule record;
	holds boolean;
begin
	for field in
		select a.attname as name, regexp_replace(col_description(tg_relid, a.attnum), '([^.?])$', '\1.') as meaning
		from pg_attribute as a
		where a.attrelid = tg_relid and a.attnum > 0 and a.attnotnull and a.attgenerated = ''
			and not a.attisdropped and jsonb_typeof(fields -> a.attname) = 'null'
		order by a.attnum
	loop
		raise exception '% must not be null', field.name
			using errcode = 'not_null_violation', schema = tg_table_schema, table = tg_table_name,
				column = field.name, hint = format('%s: %s', field.name, field.meaning);
	end loop;
	for rule in
		select c.conname as name, pg_get_expr(c.conbin, c.conrelid) as condition, d.description as message,
			string_agg(format('%s is %s', a.attname, left((fields -> a.attname)::text, 100)), ', ' order by a.attnum) as found,
			string_agg(format('%s: %s', a.attname, regexp_replace(col_description(tg_relid, a.attnum), '([^.?])$', '\1.')), ' '
				order by a.attnum) as meaning
		from pg_constraint as c
			join pg_description as d on d.objoid = c.oid and d.classoid = 'pg_constraint'::regclass and d.objsubid = 0
			join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
		where c.conrelid = tg_relid and c.contype = 'c'
		group by c.oid, d.description
		order by c.conname
	loop
		execute format('select %s from (select ($1).*) as r', rule.condition) into holds using new;
		if not holds then
			raise exception '%', rule.message
				using errcode = 'check_violation', schema = tg_table_schema, table = tg_table_name,
					constraint = rule.name, detail = 'Here ' || rule.found || '.', hint = rule.meaning;
		end if;
	end loop;
	return new;
end
$$;
comment on function cctv.check_row() is
	'Trigger: refuses what a constraint would, with the constraint''s comment as the message';

comment on constraint name_is_a_word on cctv.models is
	'a model''s name must be a word of a-z, 0-9, _ and -, at most 64, that begins with a letter';
comment on constraint file_is_below_the_models_directory on cctv.models is
	'a model''s file must be a path below cctv.models_dir';
comment on constraint runtime_is_auto_onnxruntime_or_opencv on cctv.models is
	'runtime must be auto, onnxruntime or opencv';
comment on constraint input_from_32_to_4096_pixels on cctv.models is
	'input_width and input_height must be from 32 to 4096';
comment on constraint labels_1_to_256_of_up_to_64_characters on cctv.models is
	'labels must be 1 to 256 words of at most 64 characters';
comment on constraint kind_is_a_word on cctv.models is
	'kind must be a word of a-z, 0-9, _ and -, at most 32, that begins with a letter';
comment on constraint min_confidence_from_0_to_1 on cctv.models is 'min_confidence must be from 0 to 1';
comment on constraint nms_iou_from_0_to_1 on cctv.models is 'nms_iou must be from 0 to 1';
comment on constraint options_is_an_object on cctv.models is
	'options must be a JSON object of at most 16384 characters';
create trigger zz_check_row before insert or update on cctv.models
	for each row execute function cctv.check_row();
comment on trigger zz_check_row on cctv.models is 'Refuses what a constraint would, in words';

comment on constraint name_of_1_to_128_characters on cctv.cameras is
	'a camera''s name must have 1 to 128 characters, none of them a control character, and no blank at either end';
comment on constraint location_up_to_256_characters on cctv.cameras is
	'location must have at most 256 characters, none of them a control character';
comment on constraint detect_fps_from_0_1_to_60 on cctv.cameras is 'detect_fps must be from 0.1 to 60';
comment on constraint models_1_to_8 on cctv.cameras is 'models must name 1 to 8 models';
comment on constraint labels_null_or_1_to_256_of_up_to_64_characters on cctv.cameras is
	'labels must be null, for all, or 1 to 256 labels of at most 64 characters';
comment on constraint min_confidence_from_0_to_1 on cctv.cameras is 'min_confidence must be from 0 to 1';
comment on constraint median_confidence_from_0_to_1 on cctv.cameras is
	'median_confidence must be null, for none, or from 0 to 1';
comment on constraint areas_from_0_to_1_and_in_order on cctv.cameras is
	'min_area and max_area must be null, for no limit, or from 0 to 1, the first not above the second';
comment on constraint aspects_from_0_01_to_100_and_in_order on cctv.cameras is
	'min_aspect and max_aspect must be null, for no limit, or from 0.01 to 100, the first not above the second';
comment on constraint motion_threshold_from_1_to_255 on cctv.cameras is 'motion_threshold must be from 1 to 255';
comment on constraint motion_min_area_from_0_to_1 on cctv.cameras is 'motion_min_area must be from 0 to 1';
comment on constraint rtsp_transport_is_tcp_or_udp on cctv.cameras is 'rtsp_transport must be tcp or udp';
comment on constraint file_start_from_1970_to_2100 on cctv.cameras is 'file_start must be from 1970 to 2099';
comment on constraint retention_at_least_a_day on cctv.cameras is
	'retention must be null, for ever, or at least a day';
comment on constraint record_is_off_continuous_motion_or_alerts on cctv.cameras is
	'record must be off, continuous, motion or alerts';
comment on constraint pre_roll_from_0_to_60_seconds on cctv.cameras is 'pre_roll must be from 0 to 60 seconds';
comment on constraint post_roll_from_0_to_600_seconds on cctv.cameras is 'post_roll must be from 0 to 600 seconds';
comment on constraint retention_of_recordings_at_least_a_minute on cctv.cameras is
	'retention of recordings must be at least a minute';
comment on constraint evidence_limit_from_0 on cctv.cameras is
	'evidence_limit must be null, for as long as the alert lasts, or at least 0';
comment on constraint idle_decode_is_full_or_keyframes on cctv.cameras is 'idle_decode must be full or keyframes';
comment on constraint removed_camera_is_not_enabled on cctv.cameras is 'a removed camera cannot run';
create trigger zz_check_row before insert or update on cctv.cameras
	for each row execute function cctv.check_row();
comment on trigger zz_check_row on cctv.cameras is 'Refuses what a constraint would, in words';

comment on constraint name_of_1_to_128_characters on cctv.zones is
	'a zone''s name must have 1 to 128 characters, none of them a control character, and no blank at either end';
comment on constraint direction_is_of_a_line on cctv.zones is
	'direction must be any, left_to_right or right_to_left for a line, and null for all else';
create trigger zz_check_row before insert or update on cctv.zones
	for each row execute function cctv.check_row();
comment on trigger zz_check_row on cctv.zones is 'Refuses what a constraint would, in words';

comment on constraint name_of_1_to_128_characters on cctv.alert_rules is
	'a rule''s name must have 1 to 128 characters, none of them a control character, and no blank at either end';
comment on constraint source_is_known on cctv.alert_rules is
	'source must be objects, camera_offline or camera_recovered';
comment on constraint alert_type_of_1_to_64_characters on cctv.alert_rules is
	'alert_type must have 1 to 64 characters, none of them a control character';
comment on constraint severity_is_info_warning_or_critical on cctv.alert_rules is
	'severity must be info, warning or critical';
comment on constraint labels_null_or_1_to_256_of_up_to_64_characters on cctv.alert_rules is
	'labels must be null, for all, or 1 to 256 labels of at most 64 characters';
comment on constraint min_confidence_from_0_to_1 on cctv.alert_rules is 'min_confidence must be from 0 to 1';
comment on constraint direction_is_of_a_line on cctv.alert_rules is
	'direction must be any, left_to_right or right_to_left, of a rule with a line';
comment on constraint min_dwell_from_0_to_a_day on cctv.alert_rules is 'min_dwell must be from 0 to 24 hours';
comment on constraint min_count_from_1_to_1000 on cctv.alert_rules is 'min_count must be from 1 to 1000';
comment on constraint cooldown_from_0_to_a_year on cctv.alert_rules is 'cooldown must be from 0 to 366 days';
comment on constraint other_sources_know_no_objects on cctv.alert_rules is
	'only a rule of the source objects has labels, min_confidence, a zone, a line or min_count';
create trigger zz_check_row before insert or update on cctv.alert_rules
	for each row execute function cctv.check_row();
comment on trigger zz_check_row on cctv.alert_rules is 'Refuses what a constraint would, in words';

comment on constraint action_is_run_detect_record_or_rule on cctv.schedules is
	'action must be run, detect, record or rule';
comment on constraint is_of_a_camera_or_a_rule on cctv.schedules is
	'a schedule must be of a rule when its action is rule, and of a camera when not';
comment on constraint days_from_1_monday_to_7_sunday on cctv.schedules is
	'days must be numbers from 1 (Monday) to 7 (Sunday)';
comment on constraint starts_before_midnight on cctv.schedules is 'a window must start before 24:00';
comment on constraint is_of_times_or_of_cron_expressions on cctv.schedules is
	'a schedule must have both starts and ends, or both start_cron and end_cron';
comment on constraint first_day_is_not_after_last on cctv.schedules is 'first_day must not be after last_day';
comment on constraint except_days_up_to_1000 on cctv.schedules is
	'except_days must be at most 1000 days, none of them null';
create trigger zz_check_row before insert or update on cctv.schedules
	for each row execute function cctv.check_row();
comment on trigger zz_check_row on cctv.schedules is 'Refuses what a constraint would, in words';
