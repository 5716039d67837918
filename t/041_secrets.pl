# A camera's password is nowhere but in camera_secrets and in the engine: not in
# the server's log, whatever is logged, nor in pg_stat_activity, notifications,
# errors, dumps, or what the system shows of processes.
use strict;
use warnings;
use lib 't/lib';
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

my $secret = 'Xq7zMARKERk9';
my $node = cctv_node('secrets', conf => <<'CONF');
log_statement = all
log_min_duration_statement = 0
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
cctv.log_level = debug
CONF
$node->start;
create_extension($node);
$node->safe_psql('postgres', 'create database other');

# Another session sees what each statement leaves in pg_stat_activity.
my $watcher = $node->background_psql('postgres', on_error_stop => 0);
my $listener = listener($node, 'postgres', qw(cctv_alert cctv_camera_state cctv_notification));
my ($seen, $heard) = ('', '');

# Run a statement in a session that stays open, and look.
sub try
{
	my ($session, $statement, %options) = @_;
	my $answer = $session->query($statement);
	$seen .= $watcher->query('select pid, query from pg_stat_activity');
	$seen .= $session->{stderr};
	$seen .= $answer;
	$session->{stderr} = '';
	return $answer;
}

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $session = $node->background_psql('postgres', on_error_stop => 0);
try($session, "select cctv.add_camera('plain', 'rtsp://viewer:$secret\@127.0.0.1:$port/1', enabled => true)");
try($session, "select cctv.add_camera('sub', 'http://127.0.0.1:$port/1', detect_url => 'http://viewer:$secret\@127.0.0.1:$port/2', enabled => true)");
try($session, "insert into cctv.cameras (name, url) values ('inserted', 'https://viewer:$secret\@127.0.0.1:$port/')");
try($session, "update cctv.cameras set url = 'rtsps://viewer:$secret\@127.0.0.1:$port/' where name = 'inserted'");
try($session, "select cctv.set_credentials('plain', 'viewer', '$secret')");
try($session, "prepare p as update cctv.cameras set url = 'rtsp://viewer:$secret\@127.0.0.1:$port/3' where name = 'inserted'");
try($session, 'execute p');
try($session, "do \$\$ begin perform cctv.set_credentials('sub', 'viewer', '$secret'); end \$\$");
try($session, "prepare \"Set\"(text) as select cctv.set_credentials('plain', 'viewer', \$1)");
try($session, "EXECUTE \"Set\" ('$secret')");
try($session, "prepare sub(text) as select cctv.set_credentials('sub', 'viewer', \$1)");
try($session, "/* again */ execute\nSub('$secret')");
try($session, "execute sub('$secret', 1)");
is(sql_value($node, "select count(*) from cctv.camera_secrets where password = '$secret'"), '3', 'the passwords are stored');

# Wrong ones.
try($session, $_) foreach (
	"select cctv.add_camera('x', 'rtsp://viewer:$secret')",
	"select cctv.add_camera('x', 'rtsp://viewer:a/$secret\@127.0.0.1/')",
	"select cctv.add_camera('x', 'rtsp://viewer:$secret#\@127.0.0.1/')",
	"select cctv.add_camera('x', 'rtsp://viewer:$secret\@bad host/')",
	"select cctv.add_camera('x', 'gopher://viewer:$secret\@127.0.0.1/')",
	"select cctv.add_camera('x', 'viewer:$secret\@127.0.0.1:$port')",
	"select cctv.add_camera('plain', 'rtsp://viewer:$secret\@127.0.0.1/')",
	"select cctv.add_camera('x', 'rtsp://viewer:$secret\@127.0.0.1/', detect_url => 'rtsp://other:$secret\@127.0.0.1/')",
	"select cctv.add_camera('x', 'rtsp://viewer:$secret\@127.0.0.1/', detect_fps => 1000)",
	"select cctv.add_camera(1, 'rtsp://viewer:$secret\@127.0.0.1/')",
	"select cctv.add_camera('x', rtsp://viewer:$secret\@127.0.0.1/)",
	"select cctv.add_camera('x', 'rtsp://viewer:'$secret'\@127.0.0.1/')",
	"select nowhere.add_camera('x', \$url\$rtsp://viewer:''$secret\@127.0.0.1/\$url\$)",
	"insert into cctv.cameras (name, url, detect_fps) values ('x', 'rtsp://viewer:$secret\@127.0.0.1/', -1)",
	"insert into cctv.cameras (name, url) values ('x', E'rtsp://viewer:$secret\\n\@127.0.0.1/')",
	"update cctv.cameras set name = 'plain', url = 'rtsp://viewer:$secret\@127.0.0.1/' where name = 'sub'",
	"select cctv.set_credentials('nowhere', 'viewer', '$secret')",
	"select cctv.set_credentials('plain', 'viewer', '$secret'::integer)",
	"select cctv.set_credentials('plain', 'viewer', '$secret', 'elsewhere')",
	"select cctv.set_credentials('plain', 'viewer', repeat('$secret', 100))",
	"select cctv.set_credentials('plain', null, '$secret')",
	"select cctv.probe('127.0.0.1:$port', 'viewer', '$secret', '1 s')",
	"select cctv.probe('rtsp://viewer:$secret\@127.0.0.1:$port/', time_limit => '1 s')",
	"select cctv.split_url('rtsp://viewer:$secret')",
	"set role cctv_viewer",
	"select cctv.set_credentials('plain', 'viewer', '$secret')",
	"update cctv.cameras set url = 'rtsp://viewer:$secret\@127.0.0.1/'",
	"select password from cctv.camera_secrets",
	"reset role");
is(sql_value($node, 'select count(*) from cctv.cameras'), '3', 'wrong ones add no camera');

# With the extended protocol, the password as a parameter or within the
# statement, and as data of COPY.
my $script = $node->basedir . '/script.sql';
foreach my $mode (qw(extended prepared))
{
	append_to_file($script, "select cctv.set_credentials('plain', 'viewer', :password);\nselect cctv.add_camera('x' || :password, 'rtsp://viewer:$secret\@127.0.0.1/');\n");
	my ($stdout, $stderr);
	IPC::Run::run([ 'pgbench', '-n', '-t', 1, '-M', $mode, '-D', "password=$secret", '-h', $node->host, '-p', $node->port, '-f', $script, 'postgres' ],
		'>', \$stdout, '2>', \$stderr);
	unlink($script);
}
$node->safe_psql('postgres', <<"SQL");
create temp table secret (password text);
copy secret from stdin;
$secret
\\.
select cctv.set_credentials('plain', 'viewer', password) from secret;
SQL
my ($stdout, $stderr);
$node->psql('postgres', "copy cctv.cameras (name, url) from stdin;\nx\trtsp://viewer:$secret\@bad host/\n\\.\n", stderr => \$stderr);
isnt($stderr, '', 'a wrong URL in COPY is an error');

# What another database logs in passing.
$node->psql('other', "select 'kept' as probe, 'whole\@kept'");
$node->psql('other', "select 'rtsp://viewer:$secret\@127.0.0.1/', 1 / 0", stderr => \$stderr);

# The engine has tried with them.
wait_sql($node, "select count(distinct camera_id) >= 2 from cctv.camera_events where state in ('reconnecting', 'error')", 'the engine has failed to connect');
$heard = $listener->query('select 1') . $listener->query('select 1');
like($heard, qr/Asynchronous notification/, 'listeners have heard of it');

# psql itself shows where in the statement an error is.
$seen =~ s/^LINE \d+: .*$//mg;
unlike($seen, qr/MARKER/, 'pg_stat_activity, answers and errors') or diag(grep { /MARKER/ } split /^/, $seen);
unlike($heard, qr/MARKER/, 'notifications');
my $log = log_since($node);
like($log, qr/statement: select cctv\.add_camera\('\*\*\*\@127\.0\.0\.1:$port\/1'/, 'statements are logged, without');
like($log, qr/camera "nowhere" does not exist/, 'errors say what they are about');
like($log, qr/statement: select 'kept' as probe, 'whole\@kept'/, 'other statements are logged as they are');
my @lines = grep { /MARKER/ } split /\n/, $log;
is(scalar(@lines), 0, 'the server\'s log, the engine\'s lines in it') or diag(join("\n", @lines));

my @shown;
foreach my $pid (engine_pids($node), backend_pids($node, '%'))
{
	push @shown, $pid if (eval { slurp_file("/proc/$pid/cmdline") } // '') =~ /MARKER/
	  || (eval { slurp_file("/proc/$pid/environ") } // '') =~ /MARKER/;
}
is("@shown", '', 'arguments and environments of processes');

# Dumps and what is in the tables.
my ($dump) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ]);
like($dump, qr/COPY cctv\.cameras/, 'pg_dump has the cameras');
unlike($dump, qr/MARKER/, 'and no password');
my $tables = $node->safe_psql('postgres', <<'SQL');
select string_agg(query_to_xml(format('select * from cctv.%I', relname), true, false, '')::text, '')
from pg_class
where relnamespace = 'cctv'::regnamespace and relkind in ('r', 'p', 'v') and relname <> 'camera_secrets'
SQL
unlike($tables, qr/MARKER/, 'no table or view but camera_secrets');

# Switched off, the log would have had them: the test can fail.
$node->safe_psql('postgres', 'alter system set cctv.hide_credentials = off');
$node->reload;
ok(wait_until(sub { sql_value($node, 'show cctv.hide_credentials') eq 'off' }), 'switched off');
my $offset = -s $node->logfile;
$node->psql('postgres', "select cctv.set_credentials('plain', 'viewer', '$secret')");
like(log_since($node, $offset), qr/MARKER/, 'the log shows what it is told to');

$_->quit foreach ($watcher, $listener, $session);
finish();
