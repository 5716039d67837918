# The NOTIFY queue is really full, because a listener sits in an open
# transaction.  Alerts still become rows; notifications resume when it is not.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

# PostgreSQL 17 lets the queue be small.  Before, it holds 8 GB, a page for
# each notification that is longer than half a page.
my $node = cctv_node('notify_full');
my $small = $node->pg_version >= 17;
$node->append_conf('postgresql.conf', 'max_notify_queue_pages = 64') if $small;
unless ($small)
{
	my ($free) = `df -Pk @{[ $node->data_dir ]}` =~ /\s(\d+)\s+\d+%/;
	plan skip_all => 'needs 12 GB of disk for a full NOTIFY queue' if $free < 12 * 1024 * 1024;
}
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');

# This listener holds the queue's tail where it is.
my $sleeper = $node->background_psql('postgres');
$sleeper->query_safe('listen something');
$sleeper->query_safe('begin');
$sleeper->query_safe('select 1');

sub usage { return sql_value($node, 'select pg_notification_queue_usage()'); }

# Fill it in chunks, then to the brim with what the last chunk was too big for.
my $text = "repeat('x', 4200)";
foreach my $chunk ($small ? (10, 1) : (40_000, 1_000, 50, 1))
{
	my ($rounds, $stderr) = (0, '');
	while ($stderr eq '')
	{
		$node->psql('postgres',
			"set client_min_messages = error; select count(pg_notify('filler', $text || n)) from generate_series(1, $chunk) n",
			stderr => \$stderr);
		last if ++$rounds > 2000;
	}
	like($stderr, qr/too many notifications/, "chunks of $chunk: full after $rounds (" . usage() . ')');
}
cmp_ok(usage(), '>', 0.999, 'the queue is full');

# Alerts are written nevertheless, and so are states.
my $alerts = sql_value($node, 'select count(*) from cctv.alerts');
my $worker = worker_pid($node);
wait_sql($node, "select count(*) >= $alerts + 2 from cctv.alerts", 'alerts are written although nobody can be told');
is(camera_state($node, 'lobby'), 'running', 'the camera runs');
is(worker_pid($node), $worker, 'the worker has not died of it');
like(log_since($node), qr/notif/i, 'the log says so');
my $begin = sql_value($node, 'select clock_timestamp()');
$node->safe_psql('postgres', "select cctv.stop('lobby')");
wait_state($node, 'lobby', 'stopped', 'a camera can be stopped', within => 15);
$node->safe_psql('postgres', "select cctv.start('lobby')");
wait_running($node, 'lobby');
cmp_ok(usage(), '>', 0.99, 'all that with a full queue');

# The sleeper wakes up: notifications again.
$sleeper->query_safe('commit');
$sleeper->query_safe('unlisten *');
$sleeper->quit;
wait_sql($node, 'select pg_notification_queue_usage() < 0.5', 'the queue is read', within => 180);
my $listener = listener($node, 'postgres', 'cctv_alert');
my @heard;
ok(wait_until(sub { push @heard, heard($listener); return scalar @heard }, 90), 'a LISTENer hears alerts again')
  or show_cluster($node);
$listener->quit;

finish();
