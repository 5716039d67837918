# A standby stays quiet until it is promoted; then it takes the cameras over.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $primary = cctv_node('primary', streaming => 1);
$primary->start;
create_extension($primary);
my $server = rtsp_camera('vtest.mp4');
add_camera($primary, 'lobby', $server->url);
wait_running($primary, 'lobby');

$primary->backup('base');
my $standby = cctv_standby($primary, 'standby', 'base');
$standby->start;

# It replays what the primary's engine sees.
wait_sql($primary, 'select count(*) >= 2 from cctv.alerts', 'alerts on the primary');
my $target = sql_value($primary, 'select max(alert_id) from cctv.alerts');
wait_sql($standby, "select max(alert_id) >= $target from cctv.alerts", 'are replayed by the standby');
is(join(' ', engine_pids($standby)), '', 'which runs no engine');
is(join(' ', backend_pids($standby, 'pg_cctv worker%')), '', 'and no worker');
my ($stdout, $stderr) = ('', '');
$standby->psql('postgres', "select cctv.start('lobby')", stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/read-only|recovery/, 'functions that write fail as on any standby');
unlike(log_since($standby), qr/pg_cctv.*(ERROR|FATAL|WARNING)|(ERROR|FATAL|WARNING).*pg_cctv worker/, 'without noise in its log');

# The primary is lost; the standby is promoted.
$primary->stop('immediate');
ok(wait_until(sub { !engine_pids($primary) }, 10), 'the lost primary leaves no engine');
my $promoted = sql_value($standby, 'select clock_timestamp()');
$standby->promote;
wait_sql($standby,
	"select count(*) = 1 from cctv.camera_status where state = 'running' and last_frame_at > '$promoted'",
	'promoted, it takes the cameras over');
is(scalar(engine_pids($standby)), 1, 'with an engine of its own');
wait_sql($standby, "select count(*) >= 1 from cctv.alerts where alert_id > $target and at > '$promoted'",
	'and raises alerts');

finish();
