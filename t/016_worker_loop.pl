# What the worker's loop owes to its neighbours: it hears of every change, does
# not spin on what keeps failing, and takes every engine with it when it ends.
use strict;
use warnings;
use lib 't/lib';
use Config;
use Cwd qw(abs_path);
use Test::More;
use CctvTest;

# The postmaster as it is in many containers, where it inherits orphans: one
# that dies of a signal looks to it like a crashed backend.
my %prctl = (x86_64 => 157, aarch64 => 167);
my ($number) = map { $prctl{$_} } grep { $Config{archname} =~ /^$_/ } keys %prctl;
plan skip_all => 'knows no number of prctl(2) here' unless $number;

my $node = cctv_node('loop', conf => "cctv.cameras_per_engine = 1\n");
unlink engine_path($node);
symlink(abs_path('t/lib/hostile_engine'), engine_path($node)) or die "symlink: $!";
my $bindir = $node->config_data('--bindir');
my $heir = $node->basedir . '/postgres';
open(my $script, '>', $heir) or die "$heir: $!";
print $script <<"SCRIPT";
#!/usr/bin/perl
syscall($number, 36, 1, 0, 0, 0) == 0 or die "PR_SET_CHILD_SUBREAPER: \$!";
exec '$bindir/postgres', \@ARGV;
SCRIPT
close $script;
chmod(0755, $heir);
my @control = ("$bindir/pg_ctl", '-D', $node->data_dir, '-w');
is(system(@control, '-s', '-l', $node->logfile, '-p', $heir, 'start'), 0, 'a server that inherits orphans');
END { system(@control, '-s', '-m', 'immediate', 'stop') if @control && -e $node->data_dir . '/postmaster.pid'; }
create_extension($node);
wait_sql($node, 'select cctv.worker_pid() is not null', 'the worker runs');

# A trigger of the user's fails at commit, as one does that notifies while the
# queue is full.  A sequence counts: it is not rolled back.
$node->safe_psql('postgres', <<'SQL');
create sequence attempts;
grant usage on sequence attempts to public;
create function refuse() returns trigger language plpgsql as
  $$ begin perform nextval('public.attempts'); raise program_limit_exceeded using message = 'too many'; end $$;
create constraint trigger refuse after insert on cctv.camera_events deferrable initially deferred
  for each row when (new.state = 'running') execute function refuse();
SQL

# A change is seen at once, also one that is committed while the worker is busy
# for so long that its look at the extension is due next.
add_camera($node, 'ignore-term', 'rtsp://127.0.0.1:9/camera', start => 0);
my $worker = worker_pid($node);
my $locker = $node->background_psql('postgres');
$locker->query_safe('begin; lock table cctv.camera_status in access exclusive mode;');
$node->safe_psql('postgres', 'update cctv.cameras set enabled = enabled where false');
wait_sql($node, "select exists (select from pg_locks where not granted and pid = $worker)", 'the worker is busy');
wait_sql($node,
	"select clock_timestamp() > xact_start + interval '1.5 seconds' from pg_stat_activity where pid = $worker",
	'for more than a second');
$node->safe_psql('postgres', 'update cctv.cameras set enabled = true');
$locker->query_safe('commit');
wait_state($node, 'ignore-term', 'starting', 'a change in the meantime is seen at once', within => 5);

# What fails for good is not tried in a storm, and goes through in the end.
wait_sql($node, 'select last_value >= 4 from attempts', 'a commit that fails is tried again');
my $begin = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select clock_timestamp() > '$begin'::timestamptz + interval '5 seconds'", 'and again');
cmp_ok(sql_value($node, 'select last_value from attempts'), '<', 20, 'but not in a storm');
$node->safe_psql('postgres', 'drop trigger refuse on cctv.camera_events');
wait_state($node, 'ignore-term', 'running', 'nothing was lost', within => 15);

# An engine that does not end when it is asked to is not left to the postmaster.
my ($engine) = engine_pids($node);
my $session = $node->background_psql('postgres');
my $backend = $session->query_safe('select pg_backend_pid()');
$worker = worker_pid($node);
$node->safe_psql('postgres', "select pg_terminate_backend($worker)");
ok(wait_until(sub { (worker_pid($node) // $worker) != $worker }, 30), 'a terminated worker is replaced')
  or show_cluster($node);
ok(!alive($engine), 'its engine is gone');
is($session->query('select pg_backend_pid()'), $backend, 'no other session has suffered');
unlike(log_since($node), qr/was terminated by signal|reinitializing/, 'and the server saw no crash');
$session->quit;
$locker->quit;

is(system(@control, '-s', '-m', 'fast', 'stop'), 0, 'a fast stop');
unlike(log_since($node), qr/was terminated by signal/, 'ends as cleanly');
finish();
