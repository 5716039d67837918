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
