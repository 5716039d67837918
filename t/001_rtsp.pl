# The main job: persons on a real RTSP stream become detections, tracks and
# alerts, and a LISTENer hears of each alert in the commit that made its row.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('rtsp');
$node->start;
create_extension($node);
my $camera = rtsp_camera('vtest.mp4');

# Nothing happens before the commit, and nothing on rollback.  The camera that
# is started afterwards proves that the worker has looked.
add_camera($node, 'never', $camera->url, start => 0);
my $events = listener($node, 'postgres', 'cctv_alert', 'cctv_camera_state');
my $other = $node->background_psql('postgres');
$other->query_safe('set client_min_messages = warning');
$other->query_safe('begin');
$other->query_safe("select cctv.add_camera('rolled back', '" . $camera->url . "')");
$other->query_safe("select cctv.start('rolled back'); select cctv.start('never')");
$other->query_safe('rollback');

my $begin = time;
add_camera($node, 'lobby', $camera->url);
my $took = wait_sql(
	$node,
	"select coalesce(bool_or(state <> 'stopped'), false) from cctv.camera_status join cctv.cameras using (camera_id) where name = 'lobby'",
	'a started camera leaves "stopped"', within => 10);
cmp_ok($took, '<', 1, 'within 1 s of the commit');
wait_running($node, 'lobby');
is(sql_value($node, "select count(*) from cctv.cameras where name = 'rolled back'"), '0', 'no camera after rollback');
is(camera_state($node, 'never'), '', 'a start that was rolled back starts nothing');
is(sql_value($node,
		"select count(*) from cctv.camera_events join cctv.cameras using (camera_id) where name = 'never'"),
	'0', 'nor did it ever');
my @engines = engine_pids($node);
is(scalar @engines, 1, 'one engine runs');

# Alerts: heard, and readable at the moment they are heard.
my @heard;
my $enough = wait_until(
	sub {
		foreach my $event (heard($events))
		{
			push @heard, $event;
			next unless $event->{channel} eq 'cctv_alert';
			my $id = $event->{payload}{alert_id};
			$event->{row} = sql_value($node,
				"select to_jsonb(a) - 'x' - 'y' - 'w' - 'h' || jsonb_build_object('box', jsonb_build_array(a.x, a.y, a.w, a.h), 'camera', c.name)"
				  . " from cctv.alerts a join cctv.cameras c using (camera_id) where alert_id = $id");
		}
		return (grep { $_->{channel} eq 'cctv_alert' } @heard) >= 3;
	});
ok($enough, 'a LISTENer hears of three alerts') or show_cluster($node);
my @alerts = grep { $_->{channel} eq 'cctv_alert' } @heard;
my $worker = worker_pid($node);
foreach my $alert (@alerts)
{
	my $payload = $alert->{payload};
	my $row = $alert->{row} ? eval { JSON::PP->new->utf8->decode($alert->{row}) } : undef;
	ok($row, "the row of alert $payload->{alert_id} was there when it was heard") or next;
	is($payload->{camera}, 'lobby', 'payload: camera');
	is($payload->{label}, 'person', 'payload: label');
	is($payload->{type}, 'person', 'payload: type');
	cmp_ok(abs($payload->{confidence} - $row->{confidence}), '<', 0.001, 'payload: confidence as in the row');
	is(scalar(grep { abs($payload->{box}[$_] - $row->{box}[$_]) > 0.001 } 0 .. 3), 0, 'payload: box as in the row');
	is($alert->{pid}, $worker, 'sent by the worker, in its transaction');
}
my %seen;
$seen{ $_->{payload}{alert_id} }++ foreach @alerts;
is(scalar(grep { $_ > 1 } values %seen), 0, 'no alert was announced twice');
my @states = map { $_->{payload}{state} } grep { $_->{channel} eq 'cctv_camera_state' && $_->{payload}{camera} eq 'lobby' } @heard;
is(join(' ', @states), 'starting running', 'the camera\'s states were announced');

# What the detections say.
is(sql_value($node,
		'select count(*) from cctv.detections where not (x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 1.0001 and y + h <= 1.0001)'),
	'0', 'every box lies in the frame');
is(sql_value($node, "select string_agg(distinct label, ' ') from cctv.detections"), 'person', 'persons, as asked');
is(sql_value($node, 'select min(confidence) >= 0.3 and max(confidence) >= 0.6 from cctv.detections'), 't', 'with confidence');
is(sql_value($node, 'select bool_and(h > w) from cctv.alerts'), 't', 'upright, as pedestrians are');
is(sql_value($node,
		"select count(*) from (select track_id from cctv.alerts group by track_id having count(*) > 1) as twice"),
	'0', 'one alert a track');
is(sql_value($node,
		"select bool_and(at between now() - interval '5 minutes' and now() + interval '1 second') from cctv.detections"),
	't', 'times are the server\'s clock');

# The snapshot is a real picture.
my $snapshot;
wait_until(
	sub { $snapshot = sql_value($node, 'select snapshot from cctv.alerts where snapshot is not null order by alert_id limit 1') });
like($snapshot, qr{^[^/].*\.jpg$}, 'an alert names its snapshot, below the media directory');
my $path = kept_media($node) . "/$snapshot";
ok(wait_until(sub { -s $path }, 10), 'the file is there') or diag($path);
is(join('x', jpeg_size($path)), '768x576', 'a JPEG of the frame\'s size');

# The int8 weights are chosen where the processor has VNNI, and the status says so.
my $runtime;
wait_until(sub { $runtime = sql_value($node, "select runtime from cctv.camera_status join cctv.cameras using (camera_id) where name = 'lobby'") });
like($runtime, qr/^objects: onnxruntime [\d.]+( int8)?$/, 'the status says what runs the model');
is($runtime =~ /int8$/ ? 1 : 0, slurp_file('/proc/cpuinfo') =~ /vnni/ ? 1 : 0, 'and with which weights');

# Stop: at once, and the engine lets go of the stream.
$begin = time;
$node->safe_psql('postgres', "select cctv.stop('lobby')");
$took = wait_state($node, 'lobby', 'stopped', 'a stopped camera is stopped', within => 10);
cmp_ok($took, '<', 1, 'within 1 s of the commit');
wait_sql($node, 'select count(*) = 0 from cctv.tracks where ended_at is null', 'its tracks have ended', within => 10);
my $detections = sql_value($node, 'select count(*) from cctv.detections');
wait_sql($node, q{select count(*) = 0 from cctv.health() where item ~ '^engine'}, 'no engine is reported any more', within => 10);
is(sql_value($node, 'select string_agg(item, \', \') from cctv.health() where not ok'), '', 'a server without a running camera is healthy');

# Plain UPDATE does the same as the functions.
$node->safe_psql('postgres', "update cctv.cameras set enabled = true where name = 'lobby'");
wait_running($node, 'lobby');
wait_sql($node, "select count(*) > $detections from cctv.detections", 'UPDATE starts a camera: detections again');
$node->safe_psql('postgres', "select cctv.set_detection('lobby', false)");
wait_sql($node, 'select count(*) = 0 from cctv.tracks where ended_at is null', 'without detection tracks end', within => 15);
$node->safe_psql('postgres', "update cctv.cameras set enabled = false where name = 'lobby'");
wait_state($node, 'lobby', 'stopped', 'UPDATE stops it', within => 5);

$events->quit;
$other->quit;
finish();
