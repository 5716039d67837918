# An engine that has been taken over writes what it likes.  The worker takes in
# what is valid, about cameras that are that engine's, and nothing else.
use strict;
use warnings;
use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use CctvTest;

my $node = cctv_node('hostile', conf => "cctv.cameras_per_engine = 1\n");
my $hostile = abs_path('t/lib/hostile_engine');
unlink engine_path($node);
symlink($hostile, engine_path($node)) or die "symlink: $!";
$node->start;
create_extension($node);

# The number of good lines: one before the tricks, one after each, and the one
# that is repeated.
my $source = slurp_file($hostile);
my ($tricks) = $source =~ /^my \@tricks = \((.*?)^\);/ms;
my $good = 2 + (() = $tricks =~ /^\tsub \{/mg);
cmp_ok($good, '>', 20, "the engine knows $good - 2 tricks");

add_camera($node, 'hostile', 'rtsp://127.0.0.1:9/camera', start => 0);
add_camera($node, 'neighbour', 'rtsp://127.0.0.1:9/camera', start => 0);
my $worker = worker_pid($node);
$node->safe_psql('postgres', "select cctv.start('hostile')");
wait_sql($node,
	"select count(*) = 1 from cctv.tracks t join cctv.cameras c using (camera_id) where c.name = 'hostile' and engine_track = $good",
	'the last good line gets in');

my $camera = "(select camera_id from cctv.cameras where name = 'hostile')";
is(sql_value($node, "select string_agg(engine_track::text, ' ' order by engine_track) from cctv.tracks where camera_id = $camera"),
	join(' ', 1 .. $good), 'all good lines got in, each once, and no bad one');
is(sql_value($node, "select count(*) from cctv.detections where camera_id = $camera"), $good, 'as many detections');
is(sql_value($node, "select count(*) from cctv.alerts where camera_id = $camera"), $good, 'as many alerts');
is(sql_value($node, "select count(*) from cctv.tracks where camera_id <> $camera"), '0', 'nothing about a camera of another engine');
is(sql_value($node, "select count(*) from cctv.camera_events where camera_id <> $camera and state <> 'stopped'"), '0', 'nor a state');
cmp_ok(sql_value($node,
		"select count(*) from pg_inherits where inhparent = 'cctv.detections'::regclass"),
	'<', 15, 'absurd times make no partitions');
is(camera_state($node, 'hostile'), 'running', 'the camera runs');
is(worker_pid($node), $worker, 'the worker is the same');
unlike(log_since($node), qr/PANIC|terminated by signal/, 'nothing crashed');
cmp_ok(length(log_since($node)), '<', 1_000_000, 'the log is not flooded');
is(scalar(grep { length $_ > 4000 } split /\n/, log_since($node)), 0, 'nor are its lines long');
my ($peak) = slurp_file("/proc/$worker/status") =~ /^VmHWM:\s+(\d+) kB/m;
cmp_ok($peak, '<', 70_000, 'nor did the worker take much memory');
like(log_since($node), qr/terminal +31m +\[31m +2J/, 'control characters are blanked in the log');
unlike(log_since($node), qr/\xc2[\x80-\x9f]|[\x00-\x08\x0b-\x1f\x7f]/, 'all of them');
like(log_since($node), qr/pg_cctv.*(skip|line|bad|invalid|malformed)/i, 'the log tells of bad lines');

# An engine that ignores SIGTERM and the end of its socket is killed.
$node->safe_psql('postgres', "select cctv.stop('hostile')");
ok(wait_until(sub { !engine_pids($node) }, 15), 'an engine without cameras ends');
add_camera($node, 'ignore-term', 'rtsp://127.0.0.1:9/camera');
wait_running($node, 'ignore-term');
my ($engine) = engine_pids($node);
ok($engine, 'a deaf engine runs');
$node->safe_psql('postgres', "select cctv.stop('ignore-term')");
ok(wait_until(sub { !alive($engine) }, 30), 'a deaf engine is killed') or show_cluster($node);

# One that dies at once is restarted with backoff, not in a storm.
my $offset = -s $node->logfile;
add_camera($node, 'die', 'rtsp://127.0.0.1:9/camera');
sub starts { my $n = () = log_since($node, $offset) =~ /started engine/g; return $n }
ok(wait_until(sub { starts() >= 4 }, 40), 'a dying engine is started again and again') or show_cluster($node);
my $begin = time;
my $starts = starts();
ok(wait_until(sub { starts() > $starts }, 40), 'and again');
cmp_ok(time - $begin, '>=', 3, 'at growing intervals');
wait_sql($node, "select message ~ 'exited' from cctv.camera_status join cctv.cameras using (camera_id) where name = 'die'",
	'the status says why', within => 5);
wait_sql($node, 'select coalesce(max(restarts), 0) >= 4 from cctv.engine_status', 'and counts', within => 10);
is(worker_pid($node), $worker, 'the worker does not mind');
$node->safe_psql('postgres', "select cctv.stop('die')");

# An engine that is not there.
unlink engine_path($node);
add_camera($node, 'missing', 'rtsp://127.0.0.1:9/camera');
wait_sql($node,
	"select message ~* 'engine' from cctv.camera_status join cctv.cameras using (camera_id) where name = 'missing'",
	'a missing engine is told in the status', within => 20);
is(worker_pid($node), $worker, 'the worker does not mind that either');

# Put back, it is found.
symlink($hostile, engine_path($node)) or die "symlink: $!";
wait_sql($node, 'select count(*) > 0 from cctv.engine_status where pid is not null', 'put back, the engine starts', within => 90);

finish();
