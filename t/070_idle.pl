# A camera whose keyframes are watched while nothing happens: a fraction is
# decoded, and what happens is found, recorded and told with the times it had.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;
use CameraServers;

# The empty scene, people in it from 20.4 s to 27 s, and the empty scene again.
my $video = "$PostgreSQL::Test::Utils::tmp_check/idle.mp4";
my $rare = "$PostgreSQL::Test::Utils::tmp_check/rare.mp4";
system('ffmpeg', '-nostdin', '-v', 'error', '-y', '-stream_loop', '-1', '-i', media('idle-720p15.mp4'),
	'-itsoffset', '20', '-i', media('vtest-720p.mp4'), '-t', '45',
	'-filter_complex', "[0][1]overlay=enable='between(t,20.4,27)':eof_action=pass",
	qw(-an -c:v libx264 -preset ultrafast -crf 25 -g 15 -keyint_min 15 -sc_threshold 0 -bf 0), $video) == 0
  or die "ffmpeg cannot make $video\n";
system('ffmpeg', '-nostdin', '-v', 'error', '-y', '-i', media('idle-720p15.mp4'),
	qw(-an -c:v libx264 -preset ultrafast -crf 30 -g 60 -keyint_min 60 -sc_threshold 0), $rare) == 0
  or die "ffmpeg cannot make $rare\n";

my $node = cctv_node('idle', conf => "cctv.stall_timeout = '3s'\n");
$node->start;
create_extension($node);
my $server = rtsp_camera($video);

sub status
{
	my ($camera, $what) = @_;
	return "select coalesce(bool_or($what), false) from cctv.v_camera_health where camera = '$camera'";
}

# Both see the same stream at the same time.
add_camera($node, 'full', $server->url);
add_camera($node, 'idle', $server->url, idle_decode => 'keyframes', record => 'motion');
wait_running($node, $_) foreach qw(full idle);

wait_sql($node, status('idle', "decoding = 'keyframes'"), 'keyframes are enough once the scene is known');
wait_sql(
	$node,
	status('idle', 'fps_decoded < 3 and fps_in > 10'),
	'and few frames are decoded of those that come');
is(sql_value($node, status('idle', 'keyframe_interval between 0.9 and 1.1 and decoding_note is null')),
	't', 'the interval of keyframes is measured');
is(sql_value($node, status('full', "decoding = 'full' and keyframes_seconds = 0 and keyframe_interval > 0.9")),
	't', 'and that of a camera that decodes everything');

# People come.
wait_sql($node, status('idle', "wakes > 0 and decoding = 'full'"), 'something in a keyframe wakes the camera');
wait_sql($node, status('idle', 'motion'), 'motion is told');
wait_sql(
	$node,
	"select count(distinct camera_id) = 2 from cctv.tracks where first_seen > now() - interval '15 seconds'",
	'both cameras see the people');
wait_sql($node, status('idle', "now() - last_frame_at < interval '3 seconds' and fps_in > 10"),
	'it is as live as ever');

# Wait for the next round, of which all is known from its beginning.
my $first = sql_value($node, 'select max(wakes) from cctv.camera_status');
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'it is calm again');
my $calm = sql_value($node, 'select now()');

# By how much the newest detection of a camera is older than that of the other, seconds.
sub behind
{
	my ($camera, $other) = @_;
	return sql_value($node, <<"SQL");
select extract(epoch from max(at) filter (where name = '$other') - max(at) filter (where name = '$camera'))
from cctv.detections join cctv.cameras using (camera_id)
where at > '$calm' and name in ('$camera', '$other')
SQL
}
ok(wait_until(sub { behind('idle', 'full') ne '' }), 'people come again, and both cameras see them');
my $seen_at = time;
ok(wait_until(sub { behind('idle', 'full') <= 0.5 }, 10), 'the camera that slept is as live as the other');
cmp_ok(time - $seen_at, '<', 1, sprintf('within a second of the first it sees: %.2f s', time - $seen_at));
wait_sql($node, status('idle', "wakes > $first"), 'that is told');
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'and go');
wait_sql(
	$node,
	"select count(distinct camera_id) = 2 from cctv.tracks where first_seen > '$calm'",
	'both cameras have tracks of the round');
my $apart = sql_value($node, <<"SQL");
with first as (
	select camera, min(first_seen) as at
	from cctv.tracks join cctv.v_camera_health using (camera_id)
	where first_seen > '$calm'
	group by camera
)
select abs(extract(epoch from a.at - b.at)) from first a, first b where a.camera = 'full' and b.camera = 'idle'
SQL
cmp_ok($apart, '<', 1.5, 'their first tracks begin at about the same time');
is( sql_value($node, <<"SQL"), 't', 'a recording of motion has its pre-roll');
select bool_and(r.started_at <= t.first_seen - interval '4 seconds') and count(*) > 0
from (select camera_id, min(first_seen) as first_seen from cctv.tracks
	where first_seen > '$calm' and camera_id = (select camera_id from cctv.cameras where name = 'idle')
	group by camera_id) as t
	join lateral (select min(started_at) as started_at from cctv.recordings as r
		where r.camera_id = t.camera_id and r.started_at > '$calm'::timestamptz - interval '6 seconds') as r on true
SQL
is(sql_value($node, <<"SQL"), 't', 'detections are in the order of their times');
select bool_and(ordered) from (select at >= lag(at) over (partition by track_id order by tableoid, ctid) is not false as ordered
	from cctv.detections) as d
SQL
is(sql_value($node, "select reconnects from cctv.camera_status join cctv.cameras using (camera_id) where name = 'idle'"),
	'0', 'all in one stream');

# Whoever looks sees the newest frame, and every one after it.
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'it is calm');
$node->safe_psql('postgres', "select length(cctv.live_frame('idle'))");
wait_sql($node, status('idle', "decoding = 'full'"), 'a look has every frame decoded', within => 20);

# The setting may change at any time.
my $session = "select session from cctv.sessions join cctv.cameras using (camera_id) where name = 'idle' and ended_at is null";
my $before = sql_value($node, $session);
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'it is calm');
$node->safe_psql('postgres', "update cctv.cameras set idle_decode = 'full' where name = 'idle'");
wait_sql($node, status('idle', "decoding = 'full' and fps_decoded > 10"), 'full: every frame is decoded');
$node->safe_psql('postgres', "update cctv.cameras set idle_decode = 'keyframes' where name = 'idle'");
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'keyframes: they are enough');
foreach my $edge (0.1, 0.2)
{
	my $points = "{{0,0},{$edge,0},{$edge,$edge},{0,$edge}}";
	my $seen = sql_value($node, 'select max(updated_at) from cctv.camera_status');
	$node->safe_psql('postgres', $edge < 0.2
		? "select cctv.add_zone('idle', 'sky', '$points', 'mask')"
		: "update cctv.zones set points = '$points' where name = 'sky'");
	wait_sql($node, status('idle', "updated_at > '$seen' and state = 'running'"), "a mask of $edge is followed");
}
is(sql_value($node, $session), $before, 'the stream goes on meanwhile');

# A stream of which the keyframes are too far apart.
my $slow = rtsp_camera($rare);
add_camera($node, 'slow', $slow->url, idle_decode => 'keyframes');
wait_sql($node, status('slow', "decoding = 'full' and decoding_note like 'a keyframe only every 4.0 s%'"),
	'keyframes too far apart are told');
$slow->stop;

# A stream that is lost is missed as ever.
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'it is calm');
$server->suspend;
wait_state($node, 'idle', 'reconnecting', 'a stream that stalls is noticed while keyframes are watched');
$server->resume;
wait_running($node, 'idle');
wait_sql($node, status('idle', "decoding = 'keyframes'"), 'and watched again when it is back');

finish();
