# A stream on which the decoder loops for ever: the engine notices by processor
# time, ends, and the second time the camera is set apart.
use strict;
use warnings;
use lib 't/lib';
use File::Copy qw(copy);
use Test::More;
use CctvTest;
use CameraServers;

my $built = ($ENV{CCTV_TOP} || '.') . '/build/test/pg_cctv_engine';
plan skip_all => "$built is missing: make build/test/pg_cctv_engine" unless -x $built;

my $node = cctv_node('hang');
unlink engine_path($node);
copy($built, engine_path($node)) or die "copy $built: $!";
chmod(0755, engine_path($node));
$node->start;
create_extension($node);
add_camera($node, 'lobby', rtsp_camera('vtest.mp4')->url);
wait_running($node, 'lobby');

# The engine for tests waits for two seconds of processor time, not ten.
add_camera($node, 'hang', rtsp_camera(poisoned('hang'))->url);
wait_sql($node,
	"select quarantined from cctv.camera_status join cctv.cameras using (camera_id) where name = 'hang'",
	'a camera that hangs is set apart', within => 300);
like(log_since($node), qr/it hangs/, 'the log says what it did');
like(log_since($node), qr/It was serving camera 2\./, 'and which camera');
wait_running($node, 'lobby');
wait_sql($node, 'select count(distinct engine) = 2 from cctv.camera_status', 'the other is in another engine', within => 10);
my $mark = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select count(*) > 0 from cctv.detections where at > '$mark'", 'and sees');

finish();
