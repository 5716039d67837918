# Without the preload, functions that need it say what to set; what a restore
# needs works.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;

sub refused
{
	my ($node, $database, $sql, $error, $hint, $test) = @_;
	my ($stdout, $stderr) = ('', '');
	isnt($node->psql($database, $sql, stdout => \$stdout, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]),
		0, "$test: refused");
	like($stderr, $error, "$test: the error");
	like($stderr, $hint, "$test: the hint says what to set");
	unlike($stderr, qr/XX000/, "$test: not an internal error");
	return;
}

my $node = cctv_node('plain', preload => 0);
$node->start;
create_extension($node);
$node->safe_psql('postgres', "select cctv.add_camera('lobby', 'rtsp://192.0.2.1/stream')");
foreach my $call ("start('lobby')", "stop('lobby')", "set_fps('lobby', 3)", "set_detection('lobby', false)")
{
	refused($node, 'postgres', "select cctv.$call", qr/ERROR: .*pg_cctv/, qr/HINT: .*shared_preload_libraries/, $call);
}
is(sql_value($node, "update cctv.cameras set enabled = true where name = 'lobby' returning enabled"), 't', 'DML works');
is(sql_value($node, "select enabled from cctv.cameras where name = 'lobby'"), 't', 'and keeps');

# Dump and restore, still without the preload.
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'create database restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
is(sql_value($node, "select name || ' ' || url from cctv.cameras", 'restored'),
	'lobby rtsp://192.0.2.1/stream', 'the cameras are restored');

# Preloaded, but the database is not named.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cctv'\ncctv.databases = 'restored'\ncctv.engine_path = '" . engine_path($node) . "'\n");
$node->restart;
refused($node, 'postgres', "select cctv.start('lobby')", qr/ERROR: .*postgres|ERROR: .*database/, qr/HINT: .*cctv\.databases/, 'another database');
ok(wait_until(sub { worker_pid($node, 'restored') }, 30), 'the named database has a worker');
wait_state($node, 'lobby', 'starting|reconnecting|error', 'where the restored, enabled camera starts', database => 'restored', within => 20);
is($node->psql('restored', "select cctv.stop('lobby')"), 0, 'and functions work');

finish();
