-- Alerts: which detections somebody should know about.

create function cctv.alert_type(label text) returns text
	language sql immutable strict parallel safe
	set search_path = pg_catalog, pg_temp
	as $$
	select case
		when label in ('car', 'truck', 'bus', 'motorcycle', 'bicycle', 'van', 'boat', 'train') then 'vehicle'
		when label in ('bird', 'cat', 'dog', 'horse', 'sheep', 'cow', 'bear', 'elephant', 'zebra',
			'giraffe') then 'animal'
		else label
	end
$$;
comment on function cctv.alert_type(text) is 'Type of the alert that an object of this label raises: person, vehicle, animal, or the label';

-- A detection as the alert rules see it.
create type cctv.report as (
	track_id bigint,
	camera_id integer,
	at timestamptz,
	label text,
	confidence real,
	x real,
	y real,
	w real,
	h real,
	snapshot text,
	decoded_at timestamptz,
	inference_ms real
);
comment on type cctv.report is 'A detection as the alert rules see it';
comment on column cctv.report.track_id is 'Track';
comment on column cctv.report.camera_id is 'Camera';
comment on column cctv.report.at is 'Time of the frame';
comment on column cctv.report.label is 'What it is';
comment on column cctv.report.confidence is 'Confidence';
comment on column cctv.report.x is 'Left edge, as a fraction of the frame''s width';
comment on column cctv.report.y is 'Top edge, as a fraction of the frame''s height';
comment on column cctv.report.w is 'Width, as a fraction of the frame''s';
comment on column cctv.report.h is 'Height, as a fraction of the frame''s';
comment on column cctv.report.snapshot is 'Picture of it, if this report brings one';
comment on column cctv.report.decoded_at is 'When the frame left the decoder';
comment on column cctv.report.inference_ms is 'Milliseconds of inference spent on the frame';

-- What cctv_alert carries about an alert.  Lengths are bounded by the tables,
-- so it stays below the 8000 bytes of a notification.
create function cctv.alert_payload(alert cctv.alerts, detail text default current_setting('cctv.notify_detail', true))
	returns text
	language sql stable
	set search_path = pg_catalog, pg_temp
	set timezone = 'UTC'
	as $$
	select case detail
		when 'id' then row_to_json(brief)
		else row_to_json(full_)
	end::text
	from cctv.cameras as c,
		lateral (select alert.alert_id, alert.camera_id) as brief,
		lateral (
			select alert.alert_id, alert.camera_id, c.name as camera, alert.alert_type as type, alert.label,
				alert.confidence, alert.at, array[alert.x, alert.y, alert.w, alert.h] as box,
				alert.snapshot) as full_
	where c.camera_id = alert.camera_id
$$;
comment on function cctv.alert_payload(cctv.alerts, text) is
	'Payload of a notification on cctv_alert, one JSON object';

-- The one rule so far: a track of a label that its camera asks for raises one
-- alert, by its first report that is as confident as the camera wants.
create function cctv.default_rule(reports cctv.report[]) returns setof cctv.report
	language sql stable
	set search_path = pg_catalog, pg_temp
	as $$
	select distinct on (r.track_id) r.track_id, r.camera_id, r.at, r.label, r.confidence, r.x, r.y, r.w, r.h,
		r.snapshot, r.decoded_at, r.inference_ms
	from unnest(reports) with ordinality as r (track_id, camera_id, at, label, confidence,
			x, y, w, h, snapshot, decoded_at, inference_ms, n)
		join cctv.cameras as c using (camera_id)
	where (c.labels is null or r.label = any (c.labels)) and r.confidence >= c.min_confidence
	order by r.track_id, r.n
$$;
comment on function cctv.default_rule(cctv.report[]) is
	'The detections of a batch that raise an alert by the default rule';

-- Evaluate the rules over the detections of a batch whose tracks have raised no
-- alert yet, given in their order: store and announce the alerts.  Returns how
-- many there were.
create function cctv.raise_alerts(reports cctv.report[], notify boolean) returns bigint
	language plpgsql
	set search_path = pg_catalog, pg_temp
	as $$
declare
	raised cctv.alerts[];
begin
	if reports is null then
		return 0;
	end if;
	with alert as (
		insert into cctv.alerts (camera_id, track_id, alert_type, label, confidence, at, x, y, w, h,
			snapshot, decoded_at, inference_ms)
		select r.camera_id, r.track_id, cctv.alert_type(r.label), r.label, r.confidence, r.at,
			r.x, r.y, r.w, r.h, coalesce(r.snapshot, t.snapshot), r.decoded_at, r.inference_ms
		from cctv.default_rule(reports) as r
			join cctv.tracks as t using (track_id)
		order by r.at, r.track_id
		returning *
	)
	select array_agg(alert::cctv.alerts order by alert_id) into raised from alert;
	if notify then
		perform pg_notify('cctv_alert', cctv.alert_payload(a)) from unnest(raised) as a;
	end if;
	return coalesce(cardinality(raised), 0);
end
$$;
comment on function cctv.raise_alerts(cctv.report[], boolean) is
	'Evaluates the alert rules over a batch of detections; stores and announces alerts; returns their number';
