"""Cameras, batches of events and years of history, made by the server itself."""

CAMERAS = 10
OBJECTS = 3  # a frame
START = "2026-03-02 12:00:00+00"


def add_cameras(cluster):
    cluster.sql(
        f"insert into cctv.cameras (camera_id, name, url, labels, file_start)"
        f" select n, 'camera ' || n, '/srv/video/' || n || '.mp4', '{{person,car}}', '{START}'"
        f" from generate_series(1, {CAMERAS}) as n"
    )


def add_rules(cluster, everywhere=False):
    """20 rules: two a camera, or each for all of them."""
    cluster.sql(
        f"select cctv.add_zone(n, 'yard', '{{{{0.3,0.3}},{{0.7,0.3}},{{0.7,0.7}},{{0.3,0.7}}}}'),"
        f" cctv.add_zone(n, 'fence', '{{{{0,0.45}},{{0.5,0.55}},{{1,0.45}}}}', 'line')"
        f" from generate_series(1, {CAMERAS}) as n"
    )
    if everywhere:
        cluster.sql(
            "select cctv.add_rule('rule ' || n, min_dwell => make_interval(secs => n), cooldown => '5 s')"
            " from generate_series(1, 20) as n"
        )
    else:
        cluster.sql(
            f"select cctv.add_rule('loitering', 'camera ' || n, zone => 'yard', min_dwell => '5 s'),"
            f" cctv.add_rule('crossing', 'camera ' || n, line => 'fence')"
            f" from generate_series(1, {CAMERAS}) as n"
        )


def make_batches(cluster, frames, frames_a_batch):
    """Table batches(n, events text): objects that wander, a new track every 40 s."""
    cluster.sql(
        f"""
drop table if exists batches;
create table batches as
with line as (
    select f, c, jsonb_build_object('type', 'objects', 'camera_id', c, 'session', md5('bench' || c), 'seq', f,
        'at', timestamptz '{START}' + f * interval '0.2 s', 'decoded_at', '{START}', 'inference_ms', 20.5,
        'objects', (
            select jsonb_agg(jsonb_build_object('track', t * 1000 + (f + t * 37) / 200,
                'label', case when t = 3 then 'car' else 'person' end, 'confidence', 0.9,
                'box', array[round((0.45 + 0.4 * sin(f / (40.0 + t * 3) + t + c))::numeric, 4),
                    round((0.4 + 0.35 * cos(f / (33.0 + t * 5) + t + c))::numeric, 4), 0.1, 0.1],
                'stationary', false, 'model', 'objects', 'attributes', '{{}}'::jsonb))
            from generate_series(1, {OBJECTS}) as t)) as line
    from generate_series(1, {frames}) as f, generate_series(1, {CAMERAS}) as c)
select (f - 1) / {frames_a_batch} as n, jsonb_agg(line order by f, c)::text as events
from line
group by 1;
select cctv.make_partition('2026-03-02');
analyze batches"""
    )


def make_history(cluster, detections, days=30, last_day="current_date"):
    """So many detections, a fiftieth of that of tracks, each with an alert, up to now."""
    tracks = detections // 50
    cluster.sql(
        f"""
select cctv.make_partition(({last_day} - n)) from generate_series(0, {days}) as n;
insert into cctv.tracks (track_id, camera_id, session, engine_track, label, model, first_seen, last_seen, ended_at,
    hits, best_confidence, best_at, best_x, best_y, best_w, best_h)
select -n, 1 + n % {CAMERAS}, md5('history')::uuid, n, case when n % 3 = 0 then 'car' else 'person' end, 'objects',
    at, at + interval '10 s', at + interval '10 s', 50, 0.9, at, 0.1, 0.1, 0.1, 0.1
from generate_series(1, {tracks}) as n,
    lateral (select now() - interval '{days} days' * (n / {tracks}.0) as at) as t;
insert into cctv.detections (at, track_id, camera_id, confidence, x, y, w, h, stationary, label, model)
select first_seen + n * interval '0.2 s', track_id, camera_id, 0.9, 0.1 + n * 0.01, 0.3, 0.1, 0.2, false, label, model
from cctv.tracks, generate_series(0, 49) as n
where track_id < 0 and first_seen + n * interval '0.2 s' <= now();
set session_replication_role = replica;
insert into cctv.alerts (camera_id, track_id, alert_type, severity, description, label, confidence, at, ended_at,
    x, y, w, h, created_at, seq, published_at)
select camera_id, track_id, cctv.alert_type(label), 'warning', label, label, 0.9, first_seen, ended_at, 0.1, 0.3, 0.1,
    0.2, first_seen, row_number() over (order by first_seen), first_seen
from cctv.tracks
where track_id < 0;
insert into cctv.event_counter (last_seq) select max(seq) from cctv.alerts;
set session_replication_role = origin"""
    )
    cluster.sql("analyze cctv.tracks, cctv.detections, cctv.alerts; select cctv.roll_up()")
    cluster.sql("vacuum cctv.alerts, cctv.tracks, cctv.detections")
