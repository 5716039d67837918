# Partitions are made and dropped while a report reads for hours: neither waits
# for the other, and events go on getting in.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('partitions');
$node->start;
create_extension($node);

sub partition_of
{
	my ($day) = @_;
	return sql_value($node,
		"select count(*) from pg_inherits i where i.inhparent = 'cctv.detections'::regclass"
		  . " and pg_get_expr((select relpartbound from pg_class where oid = i.inhrelid), i.inhrelid) like '%FROM (''$day%'");
}

# Partitions exist ahead of time.
wait_sql($node,
	"select count(*) >= 8 from pg_inherits where inhparent = 'cctv.detections'::regclass",
	'partitions for today and seven days ahead');

# A report that has read everything there is and holds its snapshot.
my $report = $node->background_psql('postgres');
$report->query_safe('begin isolation level repeatable read');
my $counted = $report->query_safe('select count(*) from cctv.detections');

# A missing day is made at once by what arrives for it: a recording of ten days
# ago.  (Its alerts prove that nothing waited for the report.)
my $day = sql_value($node, "select (now() at time zone 'UTC')::date - 10");
add_camera(
	$node, 'old', media('resolution-change.ts'),
	realtime => 'false', loop => 'false', file_start => "$day 12:00:00+00", retention => '30 days');
wait_state($node, 'old', 'finished', 'a recording of ten days ago is analysed', within => 60);
wait_sql($node, "select count(*) > 0 from cctv.detections where at::date between '$day'::date - 1 and '$day'::date + 1",
	'its detections are in their own day', within => 10);
is($report->query_safe('select count(*) from cctv.detections'), $counted, 'the report still reads its snapshot');

# A second report reads the new day, too, and stays; then that day expires.
my $longer = $node->background_psql('postgres');
$longer->query_safe('begin isolation level repeatable read');
my $expiring = $longer->query_safe('select count(*) from cctv.detections');
cmp_ok($expiring, '>', $counted, 'a longer report has read the new day');
# (History of a file with a file_start is kept whatever its age.)
$node->safe_psql('postgres', "update cctv.cameras set retention = '1 day', file_start = null where name = 'old'");

# Live work goes on meanwhile.
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'live', $server->url, retention => '1 day');
wait_running($node, 'live');
my $alerts = "select count(*) from cctv.alerts join cctv.cameras using (camera_id) where name = 'live'";
wait_sql($node, "select ($alerts) >= 1", 'alerts of a live camera');

# Maintenance comes by at least once (every 60 s) while the report holds on,
# and gives way: no wait of the worker is longer than its lock_timeout.
my $tick = sql_value($node, 'select clock_timestamp()');
my $longest = 0;
wait_until(
	sub {
		my $waited = sql_value($node,
			"select coalesce(extract(epoch from max(clock_timestamp() - l.waitstart)), 0) from pg_locks l"
			  . " join pg_stat_activity a using (pid) where a.backend_type like 'pg_cctv worker%' and not l.granted");
		$longest = $waited if $waited =~ /^[\d.]+$/ && $waited > $longest;
		return sql_value($node, "select clock_timestamp() > '$tick'::timestamptz + interval '65 seconds'") eq 't';
	},
	80);
cmp_ok($longest, '<', 1, sprintf('the worker never waited long for a lock (%.3f s)', $longest));
is(sql_value($node, "select count(*) from cctv.camera_status where state = 'running'"), '1', 'the live camera runs');
my $so_far = sql_value($node, $alerts);
wait_sql($node, "select ($alerts) > $so_far", 'and raises alerts', within => 90);
is($longer->query_safe('select count(*) from cctv.detections'), $expiring, 'the longer report still reads what expired');

# The reports end; the expired day goes.
$report->query_safe('commit');
$longer->query_safe('commit');
wait_sql($node,
	"select count(*) = 0 from cctv.detections d join cctv.cameras c using (camera_id) where c.name = 'old'",
	'then the expired day is gone', within => 90);
is(partition_of($day), '0', 'its partition with it');

$report->quit;
$longer->quit;
finish();
