# What goes wrong with a camera or its network: the state says so, the message
# says what, and the stream comes back by itself.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $password = 'Sesam-öffne-dich/77';
my $node = cctv_node('stream_faults', conf => "cctv.stall_timeout = '3s'\n");
$node->start;
create_extension($node);

sub message
{
	my ($camera) = @_;
	return sql_value($node,
		"select message from cctv.camera_status join cctv.cameras using (camera_id) where name = '$camera'");
}

sub count_events
{
	my ($camera, $state) = @_;
	return sql_value($node,
		"select count(*) from cctv.camera_events e join cctv.cameras c using (camera_id)"
		  . " where c.name = '$camera' and e.state = '$state'");
}

# Everything that is wrong from the start goes wrong at the same time.
my $good = rtsp_camera('vtest.mp4');
my $locked = rtsp_camera('vtest.mp4', user => 'viewer', password => $password);
my $silent = rtsp_camera('silent');
my $freezing = rtsp_camera('vtest.mp4', mount => 'stall-after=4');
my $stall = bad_server('stall');
my $garbage = bad_server('garbage');
my $nobody = PostgreSQL::Test::Cluster::get_free_port();
my $secret = $password =~ s/([^A-Za-z0-9-])/sprintf('%%%02X', ord $1)/ger;
my ($address) = $locked->url =~ m{^rtsp://(.*)};

add_camera($node, 'good', $good->url);
add_camera($node, 'locked', "rtsp://viewer:$secret\@$address");
add_camera($node, 'wrong password', "rtsp://viewer:not-$secret\@$address");
add_camera($node, 'no password', $locked->url);
add_camera($node, 'wrong url', $good->url =~ s/camera$/nothing-here/r);
add_camera($node, 'nobody there', "rtsp://127.0.0.1:$nobody/camera");
add_camera($node, 'silent', $silent->url);
add_camera($node, 'stall', $stall->url);
add_camera($node, 'garbage', $garbage->url);
add_camera($node, 'garbage over http', $garbage->url =~ s/^rtsp/http/r);
add_camera($node, 'freezing', $freezing->url);

# The password is a secret: not in the table everybody reads, nor in a log, a
# status or a command line (the rest of that at the end).
is(sql_value($node, "select url from cctv.cameras where name = 'locked'"), $locked->url,
	'the stored URL has no credentials');

wait_running($node, 'good');
wait_running($node, 'locked');

my $waits = 'reconnecting';
my $wrong = 'error';
my @faults = (
	[ 'wrong password', $wrong, qr/401|unauthori[sz]ed|password/i ],
	[ 'no password', $wrong, qr/401|unauthori[sz]ed|password/i ],
	[ 'wrong url', $wrong, qr/404|not found/i ],
	[ 'nobody there', $waits, qr/refused/i ],
	[ 'silent', $waits, qr/timed? ?out|no answer|seconds?|within/i ],
	[ 'stall', $waits, qr/timed? ?out|no answer|seconds?|within/i ],
	[ 'garbage', "$waits|$wrong", qr/\w/ ],
	[ 'garbage over http', "$waits|$wrong", qr/\w/ ]);
foreach my $fault (@faults)
{
	my ($camera, $state, $message) = @$fault;
	wait_state($node, $camera, $state, "$camera: $state", within => 40);
	like(message($camera), $message, "$camera: the message says why");
	is(count_events($camera, 'running'), '0', "$camera: never running");
}

# A stream that freezes is noticed by its silence, and opened again.
wait_sql($node,
	"select count(*) >= 1 from cctv.camera_events e join cctv.cameras c using (camera_id)"
	  . " where c.name = 'freezing' and e.state = 'reconnecting'",
	'freezing: noticed', within => 40);
my ($frozen) = sql_value($node,
	"select string_agg(distinct e.message, ' / ') from cctv.camera_events e join cctv.cameras c using (camera_id)"
	  . " where c.name = 'freezing' and e.state = 'reconnecting'");
like($frozen, qr/picture|frame/i, 'freezing: the message speaks of pictures');
wait_sql($node,
	"select count(*) >= 2 from cctv.camera_events e join cctv.cameras c using (camera_id)"
	  . " where c.name = 'freezing' and e.state = 'running'",
	'freezing: running again', within => 40);

# The camera loses power and comes back.
$good->stop;
wait_state($node, 'good', 'reconnecting', 'killed: the camera is reconnecting', within => 15);
like(message('good'), qr/\w/, 'killed: with a message');
is(sql_value($node, "select count(*) from cctv.tracks t join cctv.cameras c using (camera_id)"
		  . " where c.name = 'good' and t.ended_at is null"), '0', 'killed: its tracks have ended');
$good->start;
wait_state($node, 'good', 'running', 'restarted: the camera is running', within => 30);
wait_sql($node,
	"select count(*) > 0 from cctv.alerts a join cctv.cameras c using (camera_id) where c.name = 'good'"
	  . " and a.at > (select max(e.at) from cctv.camera_events e where e.camera_id = c.camera_id and e.state = 'reconnecting')",
	'restarted: alerts again');

# All the while the other cameras of the same engine were left alone.
is(count_events('locked', 'reconnecting'), '0', 'a good camera never noticed its neighbours');
is(count_events('locked', 'error'), '0', 'not at all');

# A mended URL is taken at once, not at the end of a long backoff.
$node->safe_psql('postgres',
	"update cctv.cameras set url = '" . $good->url . "' where name = 'wrong url'");
wait_state($node, 'wrong url', 'running', 'a mended URL runs', within => 15);

# The password leaked nowhere.
foreach my $form ($password, $secret, 'Sesam')
{
	is(index(log_since($node), $form), -1, 'no password in the server log');
}
my $everything = sql_value($node,
	"select (select string_agg(to_jsonb(c)::text, ' ') from cctv.cameras c)"
	  . " || (select string_agg(to_jsonb(s)::text, ' ') from cctv.camera_status s)"
	  . " || (select string_agg(to_jsonb(e)::text, ' ') from cctv.camera_events e)");
unlike($everything, qr/Sesam/, 'no password in cameras, camera_status or camera_events');
my $lines = join(' ', map { slurp_file("/proc/$_/cmdline") . slurp_file("/proc/$_/environ") } engine_pids($node));
unlike($lines, qr/Sesam|rtsp:/, 'no password or URL in a command line or environment');

finish();
