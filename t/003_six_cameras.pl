# Six cameras at once: all running, detections from each, one engine.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('six');
$node->start;
create_extension($node);

my $server = rtsp_camera('vtest.mp4');
add_camera($node, "camera $_", $server->url) foreach 1 .. 6;
wait_sql($node,
	"select count(*) = 6 from cctv.camera_status where state = 'running'",
	'six cameras run at once');
wait_sql(
	$node,
	'select count(*) = 6 from (select camera_id from cctv.detections group by camera_id having count(*) >= 5) as busy',
	'each has detections', within => 120);
wait_sql(
	$node,
	'select count(*) = 6 from (select distinct camera_id from cctv.alerts) as alerted',
	'each has alerts', within => 120);
is(sql_value($node, "select count(*) from cctv.camera_status where state = 'running'"), '6', 'all still run');
is(sql_value($node, 'select coalesce(sum(reconnects), 0) from cctv.camera_status'), '0', 'none has reconnected');
is(scalar(engine_pids($node)), 1, 'in one engine');

# Cameras are divided among engines by cctv.cameras_per_engine.
$node->append_conf('postgresql.conf', 'cctv.cameras_per_engine = 2');
$node->safe_psql('postgres', 'select cctv.stop(name) from cctv.cameras');
wait_sql($node, "select count(*) = 6 from cctv.camera_status where state = 'stopped'", 'all stop', within => 10);
ok(wait_until(sub { !engine_pids($node) }, 15), 'an engine without cameras ends');
$node->reload;
wait_sql($node, "select current_setting('cctv.cameras_per_engine') = '2'", 'two cameras an engine', within => 5);
$node->safe_psql('postgres', 'select cctv.start(name) from cctv.cameras');
wait_sql($node, "select count(*) = 6 from cctv.camera_status where state = 'running'", 'all run again');
is(scalar(engine_pids($node)), 3, 'in three engines');

finish();
