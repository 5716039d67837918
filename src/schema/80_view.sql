-- Views: for people, and flat ones for dashboards.

create view cctv.status as
select c.name as camera,
	coalesce(s.state, 'stopped') as state,
	s.since,
	round(s.fps_in::numeric, 1)::real as fps_in,
	round(s.fps_analysed::numeric, 1)::real as fps_analysed,
	s.skipped,
	round(s.inference_ms::numeric, 1)::real as inference_ms,
	case when s.state = 'running' and c.url not like '/%'
		then date_trunc('milliseconds', now() - s.last_frame_at)
	end as frame_age,
	s.reconnects,
	s.decoding,
	round(s.frames::numeric / nullif(s.received, 0), 2)::real as decoded,
	s.message,
	concat_ws(': ', s.publish_state, s.publish_message) as publishing
from cctv.cameras as c
	left join cctv.camera_status as s using (camera_id)
where c.removed_at is null
order by c.name;

comment on view cctv.status is 'Cameras and how they are doing, for people';
comment on column cctv.status.camera is 'Name';
comment on column cctv.status.state is 'stopped, starting, running, reconnecting, error or finished';
comment on column cctv.status.since is 'When it came into this state';
comment on column cctv.status.fps_in is 'Frames received a second';
comment on column cctv.status.fps_analysed is 'Frames analysed a second';
comment on column cctv.status.skipped is 'Frames due for analysis but passed over since the stream began';
comment on column cctv.status.inference_ms is 'Mean milliseconds of an inference';
comment on column cctv.status.frame_age is 'Age of the newest frame of a live stream';
comment on column cctv.status.reconnects is 'Reconnects since the camera was started';
comment on column cctv.status.decoding is
	'full: every frame is decoded now; keyframes: nothing happens, and only keyframes are (cameras.idle_decode)';
comment on column cctv.status.decoded is 'Part of the frames received that was decoded, since the stream began';
comment on column cctv.status.message is 'Why it is in this state, in words';
comment on column cctv.status.publishing is 'How its publishing does: waiting, connecting, publishing or failed, and why; empty when it is not published';

create view cctv.v_camera_health as
select c.camera_id,
	c.name as camera,
	c.location,
	c.enabled,
	coalesce(s.state, 'stopped') as state,
	s.since,
	s.message,
	s.last_frame_at,
	s.fps_in,
	s.fps_decoded,
	s.fps_analysed,
	s.inference_ms,
	s.received,
	s.frames,
	s.analysed,
	s.skipped,
	s.inferences,
	s.dropped_events,
	s.reconnects,
	s.width,
	s.height,
	s.codec,
	c.idle_decode,
	s.decoding,
	s.decoding_note,
	s.keyframe_interval,
	s.full_seconds,
	s.keyframes_seconds,
	(s.keyframes_seconds / nullif(s.full_seconds + s.keyframes_seconds, 0))::real as keyframes_share,
	s.wakes,
	(3600 * s.wakes / nullif(s.full_seconds + s.keyframes_seconds, 0))::real as wakes_per_hour,
	s.motion,
	s.motion_at,
	s.publish_state,
	s.publish_message,
	s.publish_fps,
	s.publish_dropped,
	s.publish_reconnects,
	s.engine,
	coalesce(s.quarantined, false) as quarantined,
	e.pid as engine_pid,
	e.rss as engine_rss,
	s.updated_at
from cctv.cameras as c
	left join cctv.camera_status as s using (camera_id)
	left join cctv.engine_status as e using (engine)
where c.removed_at is null;

comment on view cctv.v_camera_health is 'Cameras, their figures and their engines, one flat row each';
comment on column cctv.v_camera_health.camera_id is 'Camera';
comment on column cctv.v_camera_health.camera is 'Name';
comment on column cctv.v_camera_health.location is 'Where it hangs';
comment on column cctv.v_camera_health.enabled is 'Should it run?';
comment on column cctv.v_camera_health.state is 'stopped, starting, running, reconnecting, error or finished';
comment on column cctv.v_camera_health.since is 'When it came into this state';
comment on column cctv.v_camera_health.message is 'Why it is in this state, in words';
comment on column cctv.v_camera_health.last_frame_at is 'Time of the newest frame';
comment on column cctv.v_camera_health.fps_in is 'Frames received a second';
comment on column cctv.v_camera_health.fps_decoded is 'Frames decoded a second';
comment on column cctv.v_camera_health.fps_analysed is 'Frames analysed a second';
comment on column cctv.v_camera_health.inference_ms is 'Mean milliseconds of an inference';
comment on column cctv.v_camera_health.received is 'Frames received since the stream began';
comment on column cctv.v_camera_health.frames is 'Frames decoded since the stream began';
comment on column cctv.v_camera_health.analysed is 'Frames analysed since the stream began';
comment on column cctv.v_camera_health.skipped is 'Frames due for analysis but passed over since the stream began';
comment on column cctv.v_camera_health.inferences is 'Runs of a model since the stream began';
comment on column cctv.v_camera_health.dropped_events is 'Events lost to a full queue since the stream began';
comment on column cctv.v_camera_health.reconnects is 'Reconnects since the camera was started';
comment on column cctv.v_camera_health.width is 'Width of the frame in pixels';
comment on column cctv.v_camera_health.height is 'Height of the frame in pixels';
comment on column cctv.v_camera_health.codec is 'Codec of the stream';
comment on column cctv.v_camera_health.idle_decode is 'What is to be decoded while nothing happens: full or keyframes';
comment on column cctv.v_camera_health.decoding is 'What is decoded now: full or keyframes';
comment on column cctv.v_camera_health.decoding_note is
	'Why every frame is decoded although idle_decode is keyframes, in words';
comment on column cctv.v_camera_health.keyframe_interval is 'Seconds from one keyframe of the stream to the next';
comment on column cctv.v_camera_health.full_seconds is 'Time in which every frame was decoded since the stream began';
comment on column cctv.v_camera_health.keyframes_seconds is
	'Time in which only keyframes were decoded since the stream began';
comment on column cctv.v_camera_health.keyframes_share is 'Part of the time in which only keyframes were decoded, 0 to 1';
comment on column cctv.v_camera_health.wakes is
	'How often something in a keyframe had every frame decoded since the stream began';
comment on column cctv.v_camera_health.wakes_per_hour is 'The same an hour, on average since the stream began';
comment on column cctv.v_camera_health.motion is 'Is there motion?';
comment on column cctv.v_camera_health.motion_at is 'When motion last began or ended';
comment on column cctv.v_camera_health.publish_state is 'Of publishing: waiting, connecting, publishing or failed; null when it is not published';
comment on column cctv.v_camera_health.publish_message is 'Why publishing waits or has failed, in words';
comment on column cctv.v_camera_health.publish_fps is 'Frames published a second';
comment on column cctv.v_camera_health.publish_dropped is 'Frames that were not published because the server or the encoder was too slow';
comment on column cctv.v_camera_health.publish_reconnects is 'Further attempts to connect to that server';
comment on column cctv.v_camera_health.engine is 'Slot of the engine that runs it';
comment on column cctv.v_camera_health.quarantined is 'It crashed engines and has one of its own';
comment on column cctv.v_camera_health.engine_pid is 'Process id of that engine';
comment on column cctv.v_camera_health.engine_rss is 'Resident memory of that engine in bytes, for all its cameras';
comment on column cctv.v_camera_health.updated_at is 'When the engine last reported figures';

create view cctv.v_alerts as
select a.alert_id,
	a.at,
	a.ended_at,
	extract(epoch from a.ended_at - a.at)::real as duration_s,
	a.camera_id,
	c.name as camera,
	c.location,
	a.rule_id,
	r.name as rule,
	a.alert_type,
	a.severity,
	a.description,
	a.label,
	a.confidence,
	a.x,
	a.y,
	a.w,
	a.h,
	a.snapshot,
	a.track_id,
	a.decoded_at,
	a.inference_ms,
	a.created_at,
	a.acknowledged_at is not null as acknowledged,
	a.acknowledged_at,
	a.acknowledged_by::text as acknowledged_by,
	a.note,
	a.seq
from cctv.alerts as a
	join cctv.cameras as c using (camera_id)
	left join cctv.alert_rules as r on r.rule_id = a.rule_id;

comment on view cctv.v_alerts is 'Alerts with their cameras, one flat row each';
comment on column cctv.v_alerts.alert_id is 'Alert';
comment on column cctv.v_alerts.at is 'Time of the frame that raised it';
comment on column cctv.v_alerts.ended_at is 'Last sighting of the object, once it is gone';
comment on column cctv.v_alerts.duration_s is 'Seconds from at to ended_at';
comment on column cctv.v_alerts.camera_id is 'Camera';
comment on column cctv.v_alerts.camera is 'Name of the camera';
comment on column cctv.v_alerts.location is 'Where the camera hangs';
comment on column cctv.v_alerts.rule_id is 'Rule that raised it';
comment on column cctv.v_alerts.rule is 'Name of that rule';
comment on column cctv.v_alerts.alert_type is 'Kind of alert: as the rule says, else person, vehicle, animal, face, or the label';
comment on column cctv.v_alerts.severity is 'info, warning or critical';
comment on column cctv.v_alerts.description is 'In words';
comment on column cctv.v_alerts.label is 'What the object is';
comment on column cctv.v_alerts.confidence is 'Confidence of the detection that raised it';
comment on column cctv.v_alerts.x is 'Left edge of the object, as a fraction of the frame''s width';
comment on column cctv.v_alerts.y is 'Top edge, as a fraction of the frame''s height';
comment on column cctv.v_alerts.w is 'Width, as a fraction of the frame''s';
comment on column cctv.v_alerts.h is 'Height, as a fraction of the frame''s';
comment on column cctv.v_alerts.snapshot is 'Picture, relative to cctv.media_dir';
comment on column cctv.v_alerts.track_id is 'Object that raised it';
comment on column cctv.v_alerts.decoded_at is 'When the frame left the decoder, by the server''s clock';
comment on column cctv.v_alerts.inference_ms is 'Milliseconds of inference spent on the frame';
comment on column cctv.v_alerts.created_at is 'When the alert was stored, by the server''s clock';
comment on column cctv.v_alerts.acknowledged is 'Has somebody acknowledged it?';
comment on column cctv.v_alerts.acknowledged_at is 'When somebody acknowledged it';
comment on column cctv.v_alerts.acknowledged_by is 'Who acknowledged it';
comment on column cctv.v_alerts.note is 'What they said';
comment on column cctv.v_alerts.seq is 'Number among all events, in the order in which they became visible';

create view cctv.v_alert_zones as
select az.alert_id,
	az.zone_id,
	z.name as zone,
	a.at,
	a.camera_id,
	c.name as camera,
	c.location,
	a.alert_type,
	a.severity,
	a.label
from cctv.alert_zones as az
	join cctv.alerts as a using (alert_id)
	join cctv.zones as z using (zone_id)
	join cctv.cameras as c on c.camera_id = a.camera_id;

comment on view cctv.v_alert_zones is 'Zones in which the objects of alerts stood, one flat row each';
comment on column cctv.v_alert_zones.alert_id is 'Alert';
comment on column cctv.v_alert_zones.zone_id is 'Zone';
comment on column cctv.v_alert_zones.zone is 'Name of the zone';
comment on column cctv.v_alert_zones.at is 'Time of the frame that raised the alert';
comment on column cctv.v_alert_zones.camera_id is 'Camera';
comment on column cctv.v_alert_zones.camera is 'Name of the camera';
comment on column cctv.v_alert_zones.location is 'Where the camera hangs';
comment on column cctv.v_alert_zones.alert_type is 'Kind of alert';
comment on column cctv.v_alert_zones.severity is 'info, warning or critical';
comment on column cctv.v_alert_zones.label is 'What the object is';

create view cctv.v_alerts_hourly as
select h.hour,
	h.camera_id,
	c.name as camera,
	c.location,
	h.alert_type,
	h.severity,
	h.label,
	sum(h.alerts)::bigint as alerts
from (
		select hour, camera_id, alert_type, severity, label, alerts
		from cctv.alerts_hourly
		union all
		select date_trunc('hour', at, 'UTC'), camera_id, alert_type, severity, label, count(*)
		from cctv.alerts
		where seq > (select cctv.rolled_up())
		group by 1, 2, 3, 4, 5) as h
	join cctv.cameras as c using (camera_id)
group by h.hour, h.camera_id, c.name, c.location, h.alert_type, h.severity, h.label;

comment on view cctv.v_alerts_hourly is 'Numbers of alerts by the hour, up to this moment';
comment on column cctv.v_alerts_hourly.hour is 'Hour in which they were raised, by its beginning (UTC)';
comment on column cctv.v_alerts_hourly.camera_id is 'Camera';
comment on column cctv.v_alerts_hourly.camera is 'Name of the camera';
comment on column cctv.v_alerts_hourly.location is 'Where the camera hangs';
comment on column cctv.v_alerts_hourly.alert_type is 'Kind of alert';
comment on column cctv.v_alerts_hourly.severity is 'info, warning or critical';
comment on column cctv.v_alerts_hourly.label is 'What the object is';
comment on column cctv.v_alerts_hourly.alerts is 'How many';
