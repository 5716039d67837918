# Every way in which a stream may come: at its pace, recorded to the frame, given
# up when it stalls, found again, and stopped at once meanwhile.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('kinds', conf => "cctv.stall_timeout = '4s'\ncctv.segment_duration = '4s'\n");
$node->start;
create_extension($node);
my ($web, $tls) = map { $node->basedir . "/$_" } qw(web tls);
mkdir $web;
mkdir $tls;

my %servers = (
	udp => rtsp_camera('vtest.mp4'),
	tls => rtsp_camera('vtest.mp4', tls => $tls, user => 'viewer', password => 's3c/ret'),
	mjpeg => http_mjpeg_camera('vtest.mp4'),
	hls => hls_camera('vtest.mp4', $web));
my @kinds = sort keys %servers;

foreach my $kind (@kinds)
{
	my $url = $servers{$kind}->url;
	$url =~ s{//}{//viewer:s3c%2Fret\@} if $kind eq 'tls';
	add_camera($node, $kind, $url, detect => 'false', record => 'continuous', $kind eq 'udp' ? (rtsp_transport => 'udp') : ());
}
wait_running($node, $_) foreach @kinds;

# At its own pace: ten frames in every second that is recorded, whether they come
# one by one, without any time, or two seconds at once.
foreach my $kind (@kinds)
{
	wait_sql($node, "select count(*) >= 3 from cctv.v_recordings where camera = '$kind' and state = 'complete'", "$kind: recorded");
	my $segments = "from (select frames / extract(epoch from ended_at - started_at) as rate, started_at - lag(ended_at) over w as gap"
	  . " from cctv.recordings join cctv.cameras using (camera_id) where name = '$kind' and state = 'complete' window w as (order by started_at)) as s";
	is(sql_value($node, "select bool_and(rate between 9 and 11) $segments"), 't', "$kind: ten frames a second")
	  or diag(sql_value($node, "select string_agg(rate::text, ' ') $segments"));
	is(sql_value($node, "select coalesce(bool_and(gap = interval '0'), false) $segments where gap is not null"), 't', "$kind: without a gap");
}
is(sql_value($node, 'select max(reconnects) from cctv.v_camera_health'), '0', 'nothing was lost so far');

# Its server says nothing more, and then goes on.
$servers{$_}->suspend foreach @kinds;
foreach my $kind (@kinds)
{
	wait_state($node, $kind, 'reconnecting', "$kind: a stall is noticed", within => 30);
	like(sql_value($node, "select message from cctv.camera_events join cctv.cameras using (camera_id) where name = '$kind' and state = 'reconnecting' order by event_id limit 1"),
		qr/^no picture for 4 s$/, "$kind: and named");
}
# A stop does not wait for it.
my $begin = time;
$node->safe_psql('postgres', "select cctv.stop(name) from cctv.cameras");
ok(wait_until(sub { !engine_pids($node) }, 10), 'stopped in the middle of that');
cmp_ok(time - $begin, '<', 5, sprintf('within %.1f s', time - $begin));
$node->safe_psql('postgres', "select cctv.start(name) from cctv.cameras");
wait_sql($node, "select count(*) = 4 from cctv.camera_status where state in ('starting', 'reconnecting')", 'started in the middle of it');
$servers{$_}->resume foreach @kinds;
wait_running($node, $_) foreach @kinds;

# It dies, and comes back.
$servers{$_}->stop foreach @kinds;
wait_state($node, $_, 'reconnecting', "$_: a dead server is noticed", within => 30) foreach @kinds;
$servers{$_}->start foreach @kinds;
wait_running($node, $_) foreach @kinds;
unlike(log_since($node), qr/s3c/, 'no password in the log');

finish();
