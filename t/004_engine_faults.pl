# An engine that dies or hangs costs seconds of its cameras, never a backend.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('engine_faults');
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');

# A session that would be lost if any backend crashed, and its proof.
my $session = $node->background_psql('postgres');
my $backend = $session->query_safe('select pg_backend_pid()');
my $started = $session->query_safe('select pg_postmaster_start_time()');
my $worker = worker_pid($node);
ok($worker, 'there is a worker');

sub nothing_restarted
{
	my ($what) = @_;
	is($session->query_safe('select pg_backend_pid()'), $backend, "$what: the session lives on");
	is($session->query_safe('select pg_postmaster_start_time()'), $started, "$what: the server has not restarted");
	is(worker_pid($node), $worker, "$what: nor has the worker");
	return;
}

# Streams again: the camera is running, which is said when a frame has been
# decoded, in a new engine.
sub back_within
{
	my ($what, $old, $limit, $fault) = @_;
	wait_sql($node,
		"select count(*) > 0 from cctv.camera_events where state = 'running' and at > '$fault'",
		"$what: streams again");
	my $took = sql_value($node,
		"select extract(epoch from min(at) - '$fault') from cctv.camera_events where state = 'running' and at > '$fault'");
	cmp_ok($took, '<', $limit, "$what: within $limit s ($took s)");
	my @now = engine_pids($node);
	is(scalar @now, 1, "$what: one engine runs");
	isnt($now[0], $old, "$what: a new one");
	wait_sql($node, "select count(*) = 1 from cctv.camera_status where last_frame_at > '$fault'", "$what: frames");
	return;
}

my $losses = 0;
foreach my $signal (qw(KILL SEGV))
{
	my ($engine) = engine_pids($node);
	my $fault = sql_value($node, 'select clock_timestamp()');
	kill($signal, $engine);
	back_within("SIG$signal", $engine, 3, $fault);
	nothing_restarted("SIG$signal");
	$losses++;
	is(sql_value($node, "select count(*) >= $losses from cctv.camera_events where state = 'reconnecting'"),
		't', "SIG$signal: the loss is in the history");

	# The restart is at once when the engine had been well; let it be well.
	wait_sql($node, 'select count(*) > 0 from cctv.detections where at > ' . "'$fault'",
		"SIG$signal: detections again");
}

is(sql_value($node, 'select count(*) from cctv.tracks where ended_at is null and last_seen < '
		  . "now() - interval '60 seconds'"), '0', 'no track of a dead engine stays open');
unlike(log_since($node), qr/PANIC|terminating any other active server processes/, 'no crash recovery in the log');

# An engine that is alive and says nothing is killed after the silence limit.
my ($engine) = engine_pids($node);
my $begin = time;
kill('STOP', $engine);
ok(wait_until(sub { !alive($engine) }, 60), 'a stopped engine is killed') or show_cluster($node);
my $took = time - $begin;
cmp_ok($took, '>=', 25, sprintf('not before its time (%.1f s)', $took));
cmp_ok($took, '<=', 40, 'nor much later than 30 s');
wait_running($node, 'lobby', within => 15);
nothing_restarted('SIGSTOP');

$session->quit;
finish();
