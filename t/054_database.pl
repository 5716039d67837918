# What is done with whole databases while cameras run: DROP, CREATE ... TEMPLATE,
# RENAME; none needs anything by hand.  And what DROP EXTENSION leaves.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('database', databases => 'postgres, yard, "the copy"');
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');
my $bystander = worker_pid($node);

# Run a statement in postgres: (seconds it took, what it said).
sub timed
{
	my ($sql, $test) = @_;
	my ($stdout, $stderr) = ('', '');
	my $begin = time;
	my $status = $node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr);
	my $took = time - $begin;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($status, 0, sprintf('%s (%.1f s)', $test, $took)) or diag($stderr);
	return ($took, $stderr);
}

# As `make installcheck` does, again and again.
foreach my $round (1 .. 3)
{
	timed('create database yard', "round $round: CREATE DATABASE");
	create_extension($node, 'yard');
	add_camera($node, 'gate', $server->url, database => 'yard');
	wait_running($node, 'gate', database => 'yard');
	timed('drop database yard', "round $round: DROP DATABASE, while its camera runs");
	is(sql_value($node, "select count(*) from pg_database where datname = 'yard'"), '0', "round $round: it is gone");
	ok(wait_until(sub { engine_pids($node) == 1 }, 10), "round $round: and so is its engine");
}

# A copy of a database whose camera runs.
timed('create database yard', 'once more');
create_extension($node, 'yard');
add_camera($node, 'gate', $server->url, database => 'yard');
wait_running($node, 'gate', database => 'yard');
wait_sql($node, 'select count(*) > 0 from cctv.detections', 'it has detections', database => 'yard');
timed('create database "the copy" template yard', 'CREATE DATABASE ... TEMPLATE, while its camera runs');
my $mark = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select bool_and(state = 'running' and last_frame_at > '$mark') from cctv.camera_status",
	'the camera runs again', database => 'yard');
cmp_ok(sql_value($node, 'select count(*) from cctv.detections', 'the copy'), '>', 0, 'the copy has its detections');
wait_sql($node, "select bool_and(state = 'running' and last_frame_at > '$mark') from cctv.camera_status",
	'and runs its camera, as it is named in cctv.databases', database => 'the copy');

# Another name, and back.
timed('alter database yard rename to court', 'RENAME, while its camera runs');
ok(wait_until(sub { engine_pids($node) == 2 }, 10), 'nothing runs in it: nobody names it');
timed('alter database court rename to yard', 'and back');
$mark = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select bool_and(state = 'running' and last_frame_at > '$mark') from cctv.camera_status",
	'the camera runs again', database => 'yard');

# Whoever may not drop it cannot make the worker go, however often they try.
$node->safe_psql('postgres', 'create role nobody login');
my $worker = worker_pid($node, 'yard');
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', "set role nobody;\n" . "drop database yard;\n" x 3000, stdout => \$stdout, stderr => \$stderr,
	on_error_stop => 0);
my $refused = () = $stderr =~ /must be owner of database yard/g;
is($refused, 3000, 'a stranger is refused 3000 times');
is(worker_pid($node, 'yard'), $worker, 'the worker stays');

timed('drop database "the copy"', 'the copy is dropped');
timed('drop database yard', 'and the other');
is(worker_pid($node), $bystander, 'the worker of another database has not noticed');
is(sql_value($node, "select count(*) from cctv.camera_events where state = 'reconnecting'"), '0', 'nor its camera');

#
# DROP EXTENSION leaves files, and says so
#
wait_sql($node, 'select count(*) > 0 from cctv.tracks where snapshot is not null', 'there are pictures');
my $media = kept_media($node);
my @files = split /\n/, `find $media -type f -name '*.jpg'`;
cmp_ok(scalar @files, '>', 0, 'as files');
my ($took, $said) = timed('drop extension pg_cctv', 'DROP EXTENSION');
like($said, qr{NOTICE:\s+recordings and pictures stay in "\Q$media\E"\s+HINT:\s+Delete the files}, 'says where they stay');
is(scalar(grep { -f } @files), scalar @files, 'they do');
($took, $said) = timed("create extension if not exists pg_trgm; drop extension if exists pg_trgm", 'other extensions')
  if -e $node->config_data('--sharedir') . '/extension/pg_trgm.control';
unlike($said // '', qr/recordings/, 'are dropped without a word');

finish();
