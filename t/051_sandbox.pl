# The sandbox: what a hijacked engine would try, tried; and that every thread of a
# working engine is confined.
use strict;
use warnings;
use lib 't/lib';
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('sandbox', conf => "cctv.engine_memory_limit = '900MB'\ncctv.engine_nice = 7\n");
$node->start;
create_extension($node);
my $data = $node->data_dir;

# Run the self-test: (exit status, lines that are ok, lines that are not, output).
sub self_test
{
	my ($stdout, $stderr) = ('', '');
	IPC::Run::run([ engine_path($node), '--sandbox-test', @_ ], '<', \undef, '>', \$stdout, '2>', \$stderr);
	my $status = $? >> 8;
	my @ok = $stdout =~ /^(ok \d+ - .*)$/mg;
	my @not_ok = $stdout =~ /^(not ok \d+ - .*)$/mg;
	my ($plan) = $stdout =~ /^1\.\.(\d+)$/m;
	is($plan, @ok + @not_ok, "@_: every line of its plan is there") or diag("$stdout$stderr");
	return ($status, \@ok, \@not_ok, $stdout);
}

#
# The self-test, against this server
#
ok(wait_until(sub { -d "$data/pg_cctv" }), 'the worker has made the media directory');
my @before = sort(glob("$data/* $data/pg_cctv/*"));
my ($status, $ok, $not_ok, $output) = self_test('--data-dir', $data, '--media-dir', "$data/pg_cctv");
is($status, 0, 'the sandbox holds') or diag($output);
is_deeply($not_ok, [], 'nothing that was tried succeeded');
foreach my $who ('the main thread', 'a thread', "a thread's thread")
{
	foreach my $what ('read a file of the data directory', 'list the data directory', "connect to PostgreSQL's socket",
		'start a program', 'become a program', 'make a file beside the media directory', 'make a file in the data directory')
	{
		like($output, qr/^ok \d+ - \Q$who cannot $what\E:/m, "$who cannot $what");
	}
}
is_deeply([ sort(glob("$data/* $data/pg_cctv/*")) ], \@before, 'it leaves nothing behind');
is(sql_value($node, 'select 1'), '1', 'nor hurts the server');

# It can fail: without a sandbox, everything succeeds, on every thread.
($status, $ok, $not_ok, $output) = self_test('--data-dir', $data, '--media-dir', "$data/pg_cctv", '--no-sandbox');
is($status, 1, 'without a sandbox it fails');
my @tried = $output =~ /^ok \d+ - without a sandbox one can (.*)$/mg;
cmp_ok(scalar @tried, '>=', 20, scalar(@tried) . ' things are tried');
foreach my $who ('the main thread', 'a thread', "a thread's thread")
{
	my @succeeded = grep { index($output, "$who can $_\n") >= 0 } @tried;
	is_deeply(\@succeeded, \@tried, "$who can do all of them");
}
is(sql_value($node, 'select 1'), '1', 'the server lives on');

# By itself it makes its own targets; and it says what it cannot do.
($status) = self_test();
is($status, 0, 'without a server it has stand-ins');
my ($stdout, $stderr) = ('', '');
IPC::Run::run([ engine_path($node), '--sandbox-test', '--data-dir', '/nonexistent' ], '<', \undef, '>', \$stdout, '2>', \$stderr);
is($? >> 8, 2, 'a directory that is not there is an error');
like($stderr, qr/cannot begin: No such file or directory/, 'and said so');

#
# An engine at work: demuxing, decoding, detecting, recording, writing pictures
#
# A field of /proc/PID/task/TID/status for every thread, by thread.
sub thread_fields
{
	my ($pid, $field) = @_;
	my %values;
	foreach my $task (glob("/proc/$pid/task/*"))
	{
		my $text = eval { slurp_file("$task/status") } // next;
		my ($name) = $text =~ /^Name:\s+(.*)$/m;
		my ($value) = $text =~ /^$field:\s+(\S+)/m;
		my ($tid) = $task =~ /(\d+)$/;
		$values{"$name $tid"} = $value;
	}
	return \%values;
}

sub limit_of
{
	my ($pid, $name) = @_;
	my ($hard) = slurp_file("/proc/$pid/limits") =~ /^\Q$name\E\s+\S+\s+(\S+)/m;
	return $hard;
}

my $camera = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $camera->url, record => 'continuous');
wait_running($node, 'lobby');
wait_sql($node, "select count(*) > 0 from cctv.alerts where snapshot is not null", 'it has seen a person');
my ($engine) = engine_pids($node);
my $seccomp = thread_fields($engine, 'Seccomp');
my $privileges = thread_fields($engine, 'NoNewPrivs');
cmp_ok(scalar keys %$seccomp, '>=', 5, 'it has ' . (scalar keys %$seccomp) . ' threads: ' . join(', ', sort keys %$seccomp));
is_deeply([ grep { $seccomp->{$_} != 2 } keys %$seccomp ], [], 'each under seccomp');
is_deeply([ grep { $privileges->{$_} != 1 } keys %$privileges ], [], 'none can gain privileges');
is(limit_of($engine, 'Max core file size'), '0', 'no core dump');
is(limit_of($engine, 'Max open files'), '1024', 'a limit of descriptors');
is(limit_of($engine, 'Max data size'), 900 * 1024 * 1024, 'the limit of memory is the setting');
cmp_ok((split / /, slurp_file("/proc/$engine/stat") =~ s/.*\) //r)[16], '>=', 7, 'its niceness is the setting');
# The sandbox leaves a thread its own priority: those that answer requests come last.
my ($nicest) = sort { $b <=> $a } map { (split / /, (eval { slurp_file("$_/stat") } // '') =~ s/.*\) //r)[16] // 0 } glob("/proc/$engine/task/*");
my $own = (split / /, slurp_file("/proc/$engine/stat") =~ s/.*\) //r)[16];
is($nicest, $own + 5 > 19 ? 19 : $own + 5, "threads for requests are nicer ($nicest) than the rest ($own)");
is(slurp_file("/proc/$engine/oom_score_adj"), "500\n", 'the kernel kills it before a backend');
my @said = log_since($node) =~ /sandbox:/g;
cmp_ok(scalar @said, '<=', 1, 'what the kernel lacks is said once, if anything');

# And that these checks can fail.
$node->safe_psql('postgres', 'alter system set cctv.sandbox = off; select pg_reload_conf()');
ok(wait_until(sub { my ($pid) = engine_pids($node); $pid && $pid != $engine && !grep { $_ != 0 } values %{ thread_fields($pid, 'Seccomp') } }),
	'switched off, another engine comes, and no thread of it is confined');
wait_running($node, 'lobby');

finish();
