# Every kind of source: HTTP MJPEG, files, HEVC, UDP, a change of resolution,
# and what is refused.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('sources');
$node->start;
create_extension($node);

sub has_persons
{
	my ($camera) = @_;
	wait_sql($node,
		"select count(*) >= 3 from cctv.detections d join cctv.cameras c using (camera_id)"
		  . " where c.name = '$camera' and d.label = 'person'",
		"$camera: persons are detected");
	return;
}

sub stop_camera
{
	my ($camera) = @_;
	$node->safe_psql('postgres', "select cctv.stop('$camera')");
	wait_state($node, $camera, 'stopped', undef, within => 10);
	return;
}

# Motion JPEG over HTTP.
my $mjpeg = http_mjpeg_camera('vtest.mp4');
add_camera($node, 'mjpeg', $mjpeg->url);
wait_running($node, 'mjpeg');
has_persons('mjpeg');
stop_camera('mjpeg');
$mjpeg->stop;

# RTSP over UDP.
my $rtsp = rtsp_camera('vtest.mp4');
add_camera($node, 'udp', $rtsp->url, rtsp_transport => 'udp');
wait_running($node, 'udp');
has_persons('udp');
stop_camera('udp');

# HEVC, over RTSP.
my $hevc = rtsp_camera('vtest-hevc.mp4');
add_camera($node, 'hevc', $hevc->url);
wait_running($node, 'hevc');
has_persons('hevc');
wait_sql($node, "select codec = 'hevc' from cctv.camera_status join cctv.cameras using (camera_id) where name = 'hevc'",
	'the status names the codec', within => 10);
stop_camera('hevc');

# A file at full speed, once: it finishes, and the same run gives the same rows.
my @runs;
foreach my $run (1, 2)
{
	add_camera(
		$node, "file $run", media('vtest.mp4'),
		realtime => 'false', loop => 'false', file_start => '2024-05-01 12:00:00+00');
	wait_state($node, "file $run", 'finished', "file $run finishes", within => 180);
	push @runs, sql_value(
		$node,
		"select count(*) || ' ' || md5(string_agg(concat_ws(',', d.at, t.engine_track, d.label, d.confidence, d.x, d.y, d.w, d.h, d.stationary), ';'"
		  . " order by d.at, t.engine_track)) from cctv.detections d join cctv.cameras c using (camera_id)"
		  . " join cctv.tracks t using (track_id) where c.name = 'file $run'");
}
like($runs[0], qr/^\d{3,} /, 'a file has hundreds of detections');
is($runs[1], $runs[0], 'the same file gives the same rows every time');
is(sql_value($node,
		"select bool_and(d.at >= '2024-05-01 12:00:00+00' and d.at < '2024-05-01 12:01:30+00') from cctv.detections d"
		  . " join cctv.cameras c using (camera_id) where c.name like 'file %'"),
	't', 'times count from file_start');
is(sql_value($node, "select skipped from cctv.camera_status join cctv.cameras using (camera_id) where name = 'file 1'"),
	'0', 'no frame that sampling selects is dropped');

# start() on a finished camera runs the file again.
my $before = sql_value($node, "select run from cctv.cameras where name = 'file 1'");
$node->safe_psql('postgres', "select cctv.start('file 1')");
wait_sql($node,
	"select run > $before from cctv.cameras where name = 'file 1'", 'start() counts a new run', within => 5);
wait_state($node, 'file 1', 'starting|running', 'and runs it again', within => 10);
stop_camera('file 1');

# A file in real time runs until its end, at its own pace.
add_camera($node, 'clip', media('resolution-change.ts'), realtime => 'true', loop => 'false');
wait_running($node, 'clip');
wait_state($node, 'clip', 'finished', 'a file in real time finishes', within => 90);

# In a loop it goes on beyond its end.
add_camera($node, 'loop', media('idle-720p15.mp4'), realtime => 'false', loop => 'true');
wait_sql($node,
	"select frames > 1000 from cctv.camera_status join cctv.cameras using (camera_id) where name = 'loop'",
	'a loop goes on', within => 120);
is(camera_state($node, 'loop'), 'running', 'and runs');
stop_camera('loop');

# The resolution changes in mid-stream.
add_camera($node, 'resize', media('resolution-change.ts'), realtime => 'false', loop => 'false');
wait_state($node, 'resize', 'finished', 'a change of resolution is survived', within => 120);
is(sql_value($node,
		"select count(*) from cctv.camera_events join cctv.cameras using (camera_id) where name = 'resize' and state in ('error', 'reconnecting')"),
	'0', 'without a reconnect');

# A file outside cctv.source_paths, whatever its permissions, is refused.
add_camera($node, 'outside', '/etc/hostname');
wait_state($node, 'outside', 'error', 'a file outside cctv.source_paths is refused', within => 15);
like(sql_value($node, "select message from cctv.camera_status join cctv.cameras using (camera_id) where name = 'outside'"),
	qr/source_paths|permission/i, 'and the message says why');

# A picture is no video.
add_camera($node, 'picture', media('messi5.jpg'));
wait_state($node, 'picture', 'error', 'a picture is refused', within => 15);
is(sql_value($node, "select message from cctv.camera_status join cctv.cameras using (camera_id) where name = 'picture'"),
	'not a video file that can be read', 'in words');

# A recording over HTTP comes as fast as the network, but is played at its own pace.
my $web = file_server(media_dir());
add_camera($node, 'download', $web->url . '/bframes-aac.mp4');
wait_running($node, 'download');
has_persons('download');
wait_state($node, 'download', 'reconnecting', 'a recording over HTTP ends', within => 60);
is(sql_value($node,
		"select extract(epoch from max(at) - min(at)) between 17 and 30 from cctv.camera_events join cctv.cameras using (camera_id)"
		  . " where name = 'download' and state in ('running', 'reconnecting')"),
	't', 'after the 20 s that it lasts');
stop_camera('download');
$web->stop;

# A network stream cannot make the engine open a local file.
my $playlist = $node->basedir . '/list.m3u8';
PostgreSQL::Test::Utils::append_to_file($playlist,
	"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://" . media('vtest.mp4') . "\n#EXT-X-ENDLIST\n");
$web = file_server($node->basedir);
add_camera($node, 'playlist', $web->url . '/list.m3u8');
wait_state($node, 'playlist', 'error|reconnecting', 'a playlist of local files does not play', within => 30);
is(sql_value($node,
		"select count(*) from cctv.camera_events join cctv.cameras using (camera_id) where name = 'playlist' and state = 'running'"),
	'0', 'nor has it ever');

finish();
