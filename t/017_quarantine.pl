# A camera that keeps crashing its engine gets one of its own, so that the
# others run on.
use strict;
use warnings;
use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use CctvTest;

my $node = cctv_node('quarantine', conf => "cctv.cameras_per_engine = 2\n");
unlink engine_path($node);
symlink(abs_path('t/lib/hostile_engine'), engine_path($node)) or die "symlink: $!";
$node->start;
create_extension($node);

# Alone it harms nobody, however often it crashes.
add_camera($node, 'culprit', 'rtsp://127.0.0.1:9/camera');
sub crashes { my $n = () = log_since($node) =~ /terminated by signal/g; return $n }
ok(wait_until(sub { crashes() >= 2 }, 30), 'a camera crashes its engine again and again') or show_cluster($node);
is(sql_value($node, 'select quarantined from cctv.camera_status'), 'f', 'alone it stays where it is');
like(log_since($node), qr/It was serving camera 1\./, 'the log blames it');

# In company it must go, though that is not its second crash any more.
add_camera($node, 'innocent', 'rtsp://127.0.0.1:9/camera');
wait_sql($node,
	"select quarantined from cctv.camera_status join cctv.cameras using (camera_id) where name = 'culprit'",
	'in company it is set apart');
wait_state($node, 'innocent', 'running', 'the other camera runs');
wait_sql($node, 'select count(distinct engine) = 2 from cctv.camera_status', 'in another engine', within => 5);
wait_sql($node,
	"select bool_and(ended_at is not null) from cctv.tracks join cctv.cameras using (camera_id) where name = 'culprit'",
	'what it was seeing has ended', within => 5);
my $pid = "select e.pid from cctv.engine_status e join cctv.camera_status using (engine)"
  . " join cctv.cameras using (camera_id) where name = 'innocent'";
wait_sql($node, "select ($pid) is not null", 'the other engine is up', within => 15);
my ($crashes, $engine) = (crashes(), sql_value($node, $pid));
ok(wait_until(sub { crashes() > $crashes + 1 }, 60), 'it crashes on');
is(camera_state($node, 'innocent'), 'running', 'and the other does not notice');
ok(alive($engine), 'in the same engine');

finish();
