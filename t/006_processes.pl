# The background workers' manners: terminated, cancelled, stopped fast or at
# once, they come back or go, and leave no engine behind.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('processes');
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');

# A frame newer than now: the stream flows.
sub flows
{
	my ($what) = @_;
	my $mark = sql_value($node, 'select clock_timestamp()');
	wait_sql($node,
		"select count(*) = 1 from cctv.camera_status where state = 'running' and last_frame_at > '$mark'",
		"$what: the stream flows");
	is(scalar(engine_pids($node)), 1, "$what: one engine");
	return;
}

# Terminate the worker: its engine goes with it, the launcher starts another.
my $worker = worker_pid($node);
my ($engine) = engine_pids($node);
is($node->safe_psql('postgres', "select pg_terminate_backend($worker)"), 't', 'the worker is terminated');
ok(wait_until(sub { !alive($engine) }, 10), 'its engine ends');
ok(wait_until(sub { (worker_pid($node) // $worker) != $worker }, 30), 'the launcher starts another worker')
  or show_cluster($node);
flows('after the worker was terminated');

# As often as somebody does that: the pause does not grow for a worker that has served.
foreach my $time (2 .. 4)
{
	wait_sql($node,
		"select backend_start < clock_timestamp() - interval '6 seconds' from pg_stat_activity where backend_type like 'pg_cctv worker%'",
		"time $time: the worker has served for a while");
	$worker = worker_pid($node);
	my $at = $node->safe_psql('postgres', "select clock_timestamp() from pg_terminate_backend($worker)");
	wait_sql($node,
		"select count(*) = 1 from pg_stat_activity where backend_type like 'pg_cctv worker%' and pid <> $worker",
		"time $time: another comes");
	cmp_ok(sql_value($node,
			"select extract(epoch from backend_start - '$at') from pg_stat_activity where backend_type like 'pg_cctv worker%'"),
		'<', 4, "time $time: after a moment");
}

# Terminate the launcher: the postmaster starts another.
my $launcher = launcher_pid($node);
is($node->safe_psql('postgres', "select pg_terminate_backend($launcher)"), 't', 'the launcher is terminated');
ok(wait_until(sub { (launcher_pid($node) // $launcher) != $launcher }, 30), 'the postmaster starts another')
  or show_cluster($node);
ok(wait_until(sub { my @w = backend_pids($node, 'pg_cctv worker%'); @w == 1 }, 30), 'one worker, not two');
flows('after the launcher was terminated');

# Cancelling the worker's query harms nothing: neither the worker nor, in its
# process group, the engine.
$worker = worker_pid($node);
($engine) = engine_pids($node);
foreach (1 .. 5)
{
	$node->safe_psql('postgres', "select pg_cancel_backend($worker)");
}
flows('after pg_cancel_backend');
is(worker_pid($node), $worker, 'the worker lives on');
is(join(' ', engine_pids($node)), $engine, 'so does the engine');

# What an unprivileged user may see of it.
like(sql_value($node, "select string_agg(backend_type, ',' order by backend_type) from pg_stat_activity where backend_type like 'pg_cctv%'"),
	qr/^pg_cctv launcher,pg_cctv worker/, 'both report to pg_stat_activity');
is(sql_value($node, "select usename from pg_stat_activity where pid = $worker"), 'cctv_worker',
	'the worker connects as cctv_worker');
is(sql_value($node, "select rolsuper from pg_roles where rolname = 'cctv_worker'"), 'f', 'who is no superuser');
is(sql_value($node, "select count(*) from pg_stat_activity where pid = $worker and state = 'idle in transaction'"),
	'0', 'and waits outside transactions');

# cctv.databases is reloadable.
$node->safe_psql('postgres', 'create database second');
create_extension($node, 'second');
$node->adjust_conf('postgresql.conf', 'cctv.databases', "'postgres, second'");
$node->reload;
ok(wait_until(sub { worker_pid($node, 'second') }, 15), 'a database added gets its worker') or show_cluster($node);
add_camera($node, 'yard', $server->url, database => 'second');
wait_running($node, 'yard', database => 'second');
# Also of a launcher that did not start its worker.
$launcher = launcher_pid($node);
$node->safe_psql('postgres', "select pg_terminate_backend($launcher)");
ok(wait_until(sub { (launcher_pid($node) // $launcher) != $launcher }, 30), 'another launcher comes') or show_cluster($node);
$node->adjust_conf('postgresql.conf', 'cctv.databases', "'postgres'");
$node->reload;
ok(wait_until(sub { !worker_pid($node, 'second') }, 15), 'a database removed loses it');
ok(wait_until(sub { my @e = engine_pids($node); @e == 1 }, 15), 'and its engine');
flows('with one database again');

# A fast stop leaves no engine, and is fast.
my $begin = time;
$node->stop('fast');
my $took = time - $begin;
cmp_ok($took, '<', 10, sprintf('a fast stop is fast (%.1f s)', $took));
is(join(' ', engine_pids($node)), '', 'a fast stop leaves no engine');

# A restart resumes the enabled cameras.
$node->start;
wait_running($node, 'lobby');
flows('after a restart');

# An immediate stop leaves none either.
$node->stop('immediate');
ok(wait_until(sub { !engine_pids($node) }, 5), 'an immediate stop leaves no engine')
  or diag('engines: ' . join(' ', engine_pids($node)));
$node->start;
wait_running($node, 'lobby');
flows('after an immediate stop');
is(sql_value($node, "select count(*) from cctv.tracks where ended_at is null and last_seen < now() - interval '1 minute'"),
	'0', 'no track of the former life stays open');

# Disabled while the server was down: it does not start.
$node->safe_psql('postgres', "select cctv.stop('lobby')");
wait_state($node, 'lobby', 'stopped', undef, within => 10);
$node->restart;
ok(wait_until(sub { worker_pid($node) }, 30), 'the worker is back');
wait_sql($node, 'select cctv.worker_pid() is not null', 'and at work', within => 15);
is(camera_state($node, 'lobby'), 'stopped', 'a stopped camera stays stopped over a restart');

finish();
