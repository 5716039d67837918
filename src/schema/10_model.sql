-- Models: the registry of detectors.

create table cctv.models (
	name text primary key,
	kind text not null,
	file text,
	runtime text not null default 'auto',
	input_width integer not null,
	input_height integer not null,
	labels text[] not null,
	min_confidence real not null default 0.3,
	nms_iou real not null default 0.5,
	options jsonb not null default '{}',
	licence text,
	builtin boolean not null default false,
	constraint name_is_a_word check (name ~ '^[a-z][a-z0-9_-]{0,63}$'),
	constraint kind_is_a_word check (kind ~ '^[a-z][a-z0-9_-]{0,31}$'),
	constraint file_is_below_the_models_directory check (
		file ~ '^[^/[:cntrl:]][^[:cntrl:]]{0,254}$' and file !~ '(^|/)\.\.(/|$)'),
	constraint runtime_is_auto_onnxruntime_or_opencv check (runtime in ('auto', 'onnxruntime', 'opencv')),
	constraint input_from_32_to_4096_pixels check (
		input_width between 32 and 4096 and input_height between 32 and 4096),
	constraint labels_1_to_256_of_up_to_64_characters check (
		cardinality(labels) between 1 and 256
		and array_to_string(labels, e'\n', '') ~ '^([^[:cntrl:]]{1,64}(\n|$))+$'),
	constraint min_confidence_from_0_to_1 check (min_confidence between 0 and 1),
	constraint nms_iou_from_0_to_1 check (nms_iou between 0 and 1),
	constraint options_is_an_object check (
		jsonb_typeof(options) = 'object' and length(options::text) <= 16384)
);

comment on table cctv.models is 'Detectors that cameras can use';
comment on column cctv.models.name is 'Name, as cameras.models gives it';
comment on column cctv.models.kind is 'How it sees and speaks: efficientdet, yolo, ultraface, retinaface, ssd, classifier, cascade, hog or hotspot';
comment on column cctv.models.file is 'Weights, relative to cctv.models_dir; null for kinds that have none (hog, hotspot)';
comment on column cctv.models.runtime is 'What runs it: onnxruntime, opencv, or auto (the first that is there)';
comment on column cctv.models.input_width is 'Width of the model''s input in pixels';
comment on column cctv.models.input_height is 'Height of the model''s input in pixels';
comment on column cctv.models.labels is 'Labels in the order of the model''s classes';
comment on column cctv.models.min_confidence is 'Objects below are not looked at; a camera''s min_confidence may be higher';
comment on column cctv.models.nms_iou is 'Of two boxes that overlap more than this (intersection over union) the better stays';
comment on column cctv.models.options is 'What else a model of this kind can be told (docs/models.md)';
comment on column cctv.models.licence is 'Licence of the weights';
comment on column cctv.models.builtin is 'Came with the extension; pg_dump leaves it out';

insert into cctv.models
	(name, kind, file, input_width, input_height, labels, min_confidence, nms_iou, licence, builtin)
values
	('objects', 'efficientdet', 'efficientdet-lite1.onnx', 384, 384,
		'{person,bicycle,car,motorcycle,bus,truck,bird,cat,dog}', 0.3, 0.5, 'Apache-2.0', true),
	('faces', 'ultraface', 'ultraface.onnx', 320, 240, '{face}', 0.7, 0.3, 'MIT', true),
	('faces_haar', 'cascade', 'haar-frontalface.xml', 640, 480, '{face}', 0.5, 0.3, 'BSD-3-Clause', true),
	('hotspot', 'hotspot', null, 640, 480, '{overheat}', 0.5, 0.5, null, true),
	('people_hog', 'hog', null, 768, 576, '{person}', 0.6, 0.5, null, true);

-- Raise an error unless every model exists and one of them knows every label.
-- Called by add_camera() and on UPDATE, but not on INSERT: a restore may load
-- cameras before models.
create function cctv.check_models(models text[], labels text[]) returns void
	language plpgsql stable
	set search_path = pg_catalog, pg_temp
	as $$
#variable_conflict use_variable
declare
	unknown text;
begin
	select m into unknown
		from unnest(models) as m
		where not exists (select from cctv.models as r where r.name = m)
		limit 1;
	if found then
		raise exception 'model "%" does not exist', unknown
			using errcode = 'undefined_object',
				hint = 'See the models with: select name, labels from cctv.models.';
	end if;
	select l into unknown
		from unnest(labels) as l
		where cardinality(models) > 0 and not exists (
			select from cctv.models as r where r.name = any (models) and l = any (r.labels))
		limit 1;
	if found then
		raise exception 'no model of the camera knows the label "%"', unknown
			using errcode = 'invalid_parameter_value',
				hint = (
					select 'Known labels: ' || coalesce(string_agg(l, ', '), 'none') || '.'
					from cctv.models as r, unnest(r.labels) as l
					where r.name = any (models));
	end if;
end
$$;
comment on function cctv.check_models(text[], text[]) is
	'Raises an error unless every model exists and one of them knows every label';

-- cameras.models is an array, so its foreign key is made of two triggers: this
-- one and camera_changed.
create function cctv.model_in_use() returns trigger
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	camera text;
begin
	select c.name into camera
		from cctv.cameras as c
		where old.name = any (c.models) and c.removed_at is null
		limit 1;
	if found then
		raise exception 'model "%" is used by camera "%"', old.name, camera
			using errcode = 'foreign_key_violation',
				hint = 'Give the camera another model first: select cctv.set_detection(camera, true, models => ''{...}'').';
	end if;
	return case when tg_op = 'DELETE' then old else new end;
end
$$;
comment on function cctv.model_in_use() is 'Trigger: a model that a camera uses keeps its name and stays';

create trigger model_removed before delete on cctv.models
	for each row execute function cctv.model_in_use();
comment on trigger model_removed on cctv.models is 'A model in use cannot be deleted';
create trigger model_renamed before update of name on cctv.models
	for each row when (old.name <> new.name) execute function cctv.model_in_use();
comment on trigger model_renamed on cctv.models is 'A model in use cannot be renamed';
