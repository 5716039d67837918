-- What is asked of an engine.  These functions read what they need with the
-- rights of their caller.

create function cctv.analyze(image bytea, model text default 'objects')
	returns table (
		label text, confidence real, x real, y real, w real, h real, attributes jsonb)
	language c volatile strict rows 10
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_analyze';
comment on function cctv.analyze(bytea, text) is
	'Objects that a model finds in a JPEG or PNG; boxes are fractions of the picture';

create function cctv.live_frame(
	camera integer, annotated boolean default true, max_width integer default null) returns bytea
	language c volatile
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_live_frame';
comment on function cctv.live_frame(integer, boolean, integer) is
	'Newest picture of a running camera as JPEG, with its objects drawn in if annotated';

create function cctv.live_frame(
	camera text, annotated boolean default true, max_width integer default null) returns bytea
	language sql volatile
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.live_frame(cctv.camera_id(camera), annotated, max_width) $$;
comment on function cctv.live_frame(text, boolean, integer) is
	'Newest picture of a running camera as JPEG, with its objects drawn in if annotated';

create function cctv.snapshot_now(camera integer, annotated boolean) returns jsonb
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_snapshot_now';
comment on function cctv.snapshot_now(integer, boolean) is
	'Has a picture of a running camera written, and stores its row: path, at, width, height and bytes';

create function cctv.take_snapshot(camera integer, annotated boolean default true) returns text
	language sql volatile
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.snapshot_now(camera, annotated) ->> 'path' $$;
comment on function cctv.take_snapshot(integer, boolean) is
	'Writes the newest picture of a running camera; returns its path, relative to cctv.media_dir';

create function cctv.take_snapshot(camera text, annotated boolean default true) returns text
	language sql volatile
	set search_path = pg_catalog, pg_temp
	as $$ select cctv.take_snapshot(cctv.camera_id(camera), annotated) $$;
comment on function cctv.take_snapshot(text, boolean) is
	'Writes the newest picture of a running camera; returns its path, relative to cctv.media_dir';

create function cctv.check_model(model jsonb) returns jsonb
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_check_model';
comment on function cctv.check_model(jsonb) is
	'Has an engine load a model and run it once; an error says what does not fit. Returns its input size and what runs it';

create function cctv.add_model(
	name text,
	kind text,
	file text,
	labels text[],
	input_width integer default null,
	input_height integer default null,
	min_confidence real default 0.3,
	nms_iou real default 0.5,
	runtime text default 'auto',
	options jsonb default '{}',
	licence text default null) returns void
	language plpgsql volatile
	set search_path = pg_catalog, pg_temp
	as $$
declare
	checked jsonb;
begin
	if file ~ '^/' or file ~ '(^|/)\.\.(/|$)' then
		raise exception 'model file "%" lies outside the models'' directory', file
			using errcode = 'invalid_parameter_value',
				detail = 'It is relative to cctv.models_dir.';
	end if;
	if exists (select from cctv.models as m where m.name = add_model.name) then
		raise exception 'model "%" already exists', name
			using errcode = 'duplicate_object';
	end if;
	checked := cctv.check_model(jsonb_build_object(
		'name', name, 'kind', kind, 'file', file, 'labels', labels, 'runtime', runtime,
		'input_width', coalesce(input_width, 0), 'input_height', coalesce(input_height, 0),
		'min_confidence', min_confidence, 'nms_iou', nms_iou, 'options', options));
	insert into cctv.models (name, kind, file, runtime, input_width, input_height, labels,
		min_confidence, nms_iou, options, licence)
	values (add_model.name, add_model.kind, add_model.file, add_model.runtime,
		(checked ->> 'input_width')::integer, (checked ->> 'input_height')::integer,
		add_model.labels, add_model.min_confidence, add_model.nms_iou, add_model.options,
		add_model.licence);
end
$$;
comment on function cctv.add_model(text, text, text, text[], integer, integer, real, real, text, jsonb, text) is
	'Registers a model after an engine has loaded it and its outputs were found to fit its kind';
