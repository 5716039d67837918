# SIGKILL of the worker or of the postmaster: nobody is left to stop the
# engine, and it ends all the same.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('orphan', conf => "restart_after_crash = on\n");
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');

# Frames from now on: what the table says may be from before the crash.
sub resumed
{
	my $now = sql_value($node, 'select clock_timestamp()');
	wait_sql($node, "select bool_and(state = 'running' and last_frame_at > '$now') from cctv.camera_status", 'the camera is resumed');
	my @pids = engine_pids($node);
	is(scalar @pids, 1, 'with one engine');
	return @pids;
}

# The worker: the postmaster restarts everything, as for any backend that is
# killed, and the camera is resumed by a new engine.
my ($engine) = engine_pids($node);
ok($engine, 'an engine runs');
my $worker = worker_pid($node);
kill('KILL', $worker);
ok(wait_until(sub { !alive($engine) }, 5), 'the engine of a killed worker ends');
ok(wait_until(sub { sql_value($node, 'select 1') eq '1' }, 60), 'the server is back');
my @engines = resumed();
isnt($engines[0], $engine, 'a new one');

# The launcher.
kill('KILL', launcher_pid($node));
ok(wait_until(sub { !alive($engines[0]) }, 10), 'the engine of a killed launcher\'s cluster ends');
ok(wait_until(sub { sql_value($node, 'select 1') eq '1' }, 60), 'the server is back');
@engines = resumed();

# The engine in the middle of being stopped is not the only case: a stopped
# (SIGSTOP) engine must go, too.
kill('STOP', $engines[0]);
$node->kill9;
ok(wait_until(sub { !engine_pids($node) }, 10), 'no engine outlives a killed postmaster, not even a stopped one')
  or diag('engines: ' . join(' ', engine_pids($node)));
ok(wait_until(sub { !alive($worker) }, 5), 'nor does a worker');

$server->stop;
done_testing();
