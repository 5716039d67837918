# What is asked of an engine: by many at once, in vain, too late, of an engine
# that hangs or dies.  Nothing of it hurts a backend, and nothing is left behind.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

# Runs while the others are looked at: its engine must end by itself.
my $idle = cctv_node('idle');
$idle->start;
create_extension($idle);

my $node = cctv_node('requests', streaming => 1, conf => "cctv.max_image_bytes = '1MB'\nmax_connections = 60\n");
$node->start;
create_extension($node);

my $directory = $node->basedir;
my $picture = "$directory/people.jpg";
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-ss', 5, '-i', media('vtest.mp4'), '-frames:v', 1, '-q:v', 3, $picture ])
  or BAIL_OUT('ffmpeg cannot make a picture');
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-i', $picture, "$directory/people.png" ]);
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-i', $picture, "$directory/people.gif" ]);
$node->safe_psql('postgres', <<"SQL");
create table pictures (name text primary key, image bytea);
insert into pictures values ('jpeg', pg_read_binary_file('$picture')),
	('png', pg_read_binary_file('$directory/people.png')),
	('gif', pg_read_binary_file('$directory/people.gif'));
SQL
my $image = "(select image from pictures where name = 'jpeg')";
$idle->safe_psql('postgres', "select count(*) from cctv.analyze(pg_read_binary_file('$picture'))");
my ($idle_engine) = engine_pids($idle);
my $idle_since = time;
ok($idle_engine, 'an engine runs for a request alone');

# The error that a statement gives: (SQLSTATE, message and the rest).
sub failure
{
	my ($sql, %options) = @_;
	my ($stdout, $stderr) = ('', '');
	$node->psql($options{database} // 'postgres', $sql, stdout => \$stdout, stderr => \$stderr,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($state) = $stderr =~ /ERROR:\s+(\w{5}):/;
	return ($state // 'none', $stderr . $stdout);
}

sub fails
{
	my ($sql, $state, $like, $test, %options) = @_;
	my ($got, $text) = failure($sql, %options);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($got, $state, "$test: $state") or diag($text);
	like($text, $like, "$test: says why");
	return $text;
}

#
# A picture, when no camera runs
#
is(engine_pids($node), 0, 'no engine runs');
my $begin = time;
my $people = sql_value($node, "select count(*) from cctv.analyze($image) where label = 'person' and confidence > 0.5");
cmp_ok($people, '>=', 3, sprintf('analyze finds %s people (%.2f s from nothing)', $people, time - $begin));
is(engine_pids($node), 1, 'now one engine runs');
is(sql_value($node, "select bool_and(x >= 0 and y >= 0 and x + w <= 1.001 and y + h <= 1.001 and w > 0 and h > 0 and attributes = '{}') from cctv.analyze($image)"),
	't', 'boxes lie in the picture');
my $same = <<"SQL";
select count(*) from cctv.analyze($image) as a
	join cctv.analyze((select image from pictures where name = 'png')) as b
		on a.label = b.label and abs(a.x - b.x) < 0.02 and abs(a.y - b.y) < 0.02
where a.confidence > 0.5
SQL
cmp_ok(sql_value($node, $same), '>=', 3, 'the PNG of it shows the same');
like(sql_value($node, "select count(*) from cctv.analyze($image, 'faces')"), qr/^\d+$/, 'another model');

#
# What is no picture, too much of one, or asked of nobody
#
fails("select * from cctv.analyze('hello')", '22P03', qr/neither a JPEG nor a PNG/, 'text');
fails("select * from cctv.analyze('')", '22P03', qr/neither a JPEG nor a PNG/, 'nothing');
fails("select * from cctv.analyze((select image from pictures where name = 'gif'))", '22P03', qr/neither/, 'a GIF');
fails("select * from cctv.analyze((select substr(image, 1, length(image) / 2) from pictures where name = 'jpeg'))",
	'22P03', qr/damaged JPEG.*Premature end/, 'half a JPEG');
fails("select * from cctv.analyze((select substr(image, 1, length(image) / 2) from pictures where name = 'png'))",
	'22P03', qr/cut off/, 'half a PNG');
fails("select * from cctv.analyze(decode(repeat('00', 1024 * 1024 + 1), 'hex'))", '54000',
	qr/1048577 bytes is larger than "cctv\.max_image_bytes"/, 'more than the setting');
fails("select * from cctv.analyze($image, 'nothing')", '42704', qr/HINT:\s+Models: faces, faces_haar, hotspot, objects, people_hog\./, 'a model that is not there');
# A header of 30000 x 30000, as a bomb has it: 3.6 GB if it were believed.
my $bomb = '89504e470d0a1a0a' . '0000000d49484452' . '00007530000075300802000000' . '00000000'
  . '000000014944415478' . '00000000' . '0000000049454e44ae426082';
fails("select * from cctv.analyze('\\x$bomb')", '54000', qr/30000 x 30000 pixels; the limit is/, 'a bomb');
is(sql_value($node, 'select count(*) from cctv.analyze(null)'), '0', 'null has no objects');

#
# Many at once
#
append_to_file("$directory/analyze.sql", "select count(*) from cctv.analyze($image) where confidence > 0.5\n");
my $bench = $node->installed_command('pgbench');
my ($stdout, $stderr) = run_command(
	[ $bench, '-n', '-c', 24, '-j', 2, '-t', 4, '-f', "$directory/analyze.sql", '-d', $node->connstr('postgres') ]);
like($stdout, qr/number of transactions actually processed: 96\/96/, '24 sessions at once: every request is answered')
  or diag($stderr);

#
# Cancelled, and out of time
#
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $backend = $session->query_safe('select pg_backend_pid()');
$session->query_safe("select count(*) from cctv.analyze($image)");

sub sockets { return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob("/proc/$backend/fd/*") }
my $before = sockets();

my ($engine) = engine_pids($node);
kill('STOP', $engine);
$begin = time;
fails("set statement_timeout = '300ms'; select * from cctv.analyze($image)", '57014', qr/statement timeout/, 'statement_timeout');
cmp_ok(time - $begin, '<', 5, 'in time');

# A cancel reaches a backend that waits for the engine.
sub waits_for_engine
{
	return wait_until(sub {
		sql_value($node, "select count(*) from pg_stat_activity where pid = $backend and state = 'active' and wait_event_type = 'Extension'") eq '1';
	});
}
for (1 .. 5)
{
	$session->{stdin} .= "select count(*) from cctv.analyze($image);\n";
	$session->{run}->pump_nb;
	ok(waits_for_engine(), 'a session waits for the engine') if $_ == 1;
	waits_for_engine();
	sql_value($node, "select pg_cancel_backend($backend)");
	$session->query('select 1');
}
is(sockets(), $before, 'five cancelled requests left no socket behind');
$session->{stderr} = '';
is($session->query_safe('select pg_backend_pid()'), $backend, 'and the session lives on');

#
# The engine dies, or hangs, during a request
#
$session->{stdin} .= "select count(*) from cctv.analyze($image);\n";
$session->{run}->pump_nb;
waits_for_engine();
kill('KILL', $engine);
$session->query('select 1');
like($session->{stderr}, qr/the engine of pg_cctv ended while it served the request/, 'an engine that is killed: the error says so');
cmp_ok(sql_value($node, "select count(*) from cctv.analyze($image)"), '>=', 3, 'the next request is answered by the next engine');

($engine) = engine_pids($node);
kill('STOP', $engine);
$begin = time;
my ($state, $text) = failure("select * from cctv.analyze($image)");
like($state, qr/^08/, 'an engine that hangs: an error') or diag($text);
cmp_ok(time - $begin, '<', 60, sprintf('within a minute (%.0f s)', time - $begin));
kill('CONT', $engine);
cmp_ok(sql_value($node, "select count(*) from cctv.analyze($image)"), '>=', 3, 'then it works again');

#
# The socket
#
my ($socket) = glob($node->data_dir . '/pgsql_tmp_cctv/*');
ok(defined $socket && -S $socket, 'there is a socket');
is(sprintf('%o', (stat $socket)[2] & 07777), '600', 'for the server alone');
is(sprintf('%o', (stat $node->data_dir . '/pgsql_tmp_cctv')[2] & 07777), '700', 'in a directory of its own');
$node->append_conf('pg_hba.conf', "local replication all trust\n");
$node->reload;
($stdout, $stderr) = run_command([ $node->installed_command('pg_basebackup'), '-D', "$directory/backup", '-X', 'none', '-c', 'fast', '-d', $node->connstr('postgres') ]);
unlike($stderr, qr/special file/, 'a base backup says nothing about it');
ok(-e "$directory/backup/PG_VERSION", 'it is made') or diag($stderr);
ok(-e "$directory/backup/PG_VERSION" && !-e "$directory/backup/pgsql_tmp_cctv", 'and leaves it out');

#
# Who may ask
#
$node->safe_psql('postgres', 'create role nobody; create role analyst; grant usage on schema cctv to nobody, analyst;'
	  . ' grant execute on function cctv.analyze to analyst; grant select on cctv.models, pictures to analyst');
fails("set role nobody; select * from cctv.analyze('x')", '42501', qr/permission denied for function analyze/, 'a role without the privilege');
my $granted = "set role analyst; select count(*) from cctv.analyze($image)";
like(sql_value($node, $granted), qr/^SET\n\d+$|^\d+$/, 'a role with it');
$node->safe_psql('postgres', 'revoke select on cctv.models from analyst');
fails($granted, '42501', qr/permission denied for table models/, 'tables are read with the rights of the caller');

#
# Nothing is left
#
$session->quit;
ok(wait_until(sub { !alive($idle_engine) }, 90), sprintf('an engine that nobody asks ends (%.0f s)', time - $idle_since));
cmp_ok(time - $idle_since, '>', 50, 'not at once');
cmp_ok(sql_value($idle, "select count(*) from cctv.analyze(pg_read_binary_file('$picture'))"), '>=', 3, 'and is back when it is asked');
unlike(log_since($node), qr/PANIC|terminating any other active server processes/, 'no crash recovery');
$node->stop('fast');
my @left = glob($node->data_dir . '/pgsql_tmp_cctv/*');
is(scalar @left, 0, 'no socket is left') or diag("@left");

finish();
