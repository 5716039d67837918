# DROP EXTENSION and DROP DATABASE while cameras run, and life afterwards.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('drop', databases => 'postgres, second');
$node->start;
my $server = rtsp_camera('vtest.mp4');

foreach my $round (1, 2)
{
	create_extension($node);
	add_camera($node, 'lobby', $server->url);
	wait_running($node, 'lobby');
	wait_sql($node, 'select count(*) > 0 from cctv.detections', "round $round: detections");

	my $worker = worker_pid($node);
	my $begin = time;
	$node->safe_psql('postgres', 'drop extension pg_cctv cascade');
	my $took = time - $begin;
	cmp_ok($took, '<', 10, sprintf('round %d: DROP EXTENSION while running (%.1f s)', $round, $took));
	ok(wait_until(sub { !engine_pids($node) }, 10), "round $round: the engine ends") or show_cluster($node);
	is(sql_value($node, "select count(*) from pg_namespace where nspname = 'cctv'"), '0', "round $round: the schema is gone");
	is(sql_value($node, "select count(*) from pg_class where relname like 'detections%'"), '0', "round $round: with its partitions");
}

# Rolled back, it drops nothing and stops nothing.
create_extension($node);
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');
my ($engine) = engine_pids($node);
$node->psql('postgres', 'begin; drop extension pg_cctv cascade; rollback;');
my $mark = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select bool_and(state = 'running' and last_frame_at > '$mark') from cctv.camera_status",
	'a DROP that is rolled back stops nothing');
is(join(' ', engine_pids($node)), $engine, 'not even for a moment');

# Dropped and made anew in one transaction: another extension of the same name,
# whose camera has the same number.
my $drop = "drop extension pg_cctv cascade; create extension pg_cctv;"
  . " select cctv.add_camera('lobby', '" . $server->url . "'); select cctv.start('lobby')";
$node->safe_psql('postgres', "begin; $drop; commit");
wait_running($node, 'lobby', within => 15);
wait_sql($node, 'select count(*) > 0 from cctv.alerts', 'dropped and made anew: alerts');
($engine) = engine_pids($node);

# DROP DATABASE WITH (FORCE) while running; the other database does not notice.
foreach my $round (1, 2)
{
	$node->safe_psql('postgres', 'create database second');
	create_extension($node, 'second');
	ok(wait_until(sub { worker_pid($node, 'second') }, 90), "round $round: the new database gets its worker")
	  or show_cluster($node);
	add_camera($node, 'yard', $server->url, database => 'second');
	wait_running($node, 'yard', database => 'second');
	is(scalar(engine_pids($node)), 2, "round $round: an engine for each database");

	my ($stdout, $stderr);
	is($node->psql('postgres', 'drop database second with (force)', stdout => \$stdout, stderr => \$stderr),
		0, "round $round: DROP DATABASE WITH (FORCE) while running")
	  or diag($stderr);
	ok(wait_until(sub { join(' ', engine_pids($node)) eq $engine }, 10), "round $round: its engine ends, the other stays")
	  or show_cluster($node);
}
$mark = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select bool_and(state = 'running' and last_frame_at > '$mark') from cctv.camera_status",
	'the other database has not noticed');
is(sql_value($node, "select count(*) from cctv.camera_events where state = 'reconnecting'"), '0', 'not at all');

# A database that is named and missing costs a line in the log now and then.
my $missing = () = log_since($node) =~ /database "second" does not exist/g;
cmp_ok($missing, '<', 30, "a missing database does not flood the log ($missing lines)");

finish();
