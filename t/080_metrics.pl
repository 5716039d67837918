# cctv.metrics(): the figures of real cameras, as a scraper reads them.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('metrics', conf => "cctv.segment_duration = 5\ncctv.media_min_free = 0\n");
$node->start;
create_extension($node);

# The value of a label or the text of HELP: what escapes may be in it.
my $escaped = qr/(?:[^"\\\n]|\\[\\"n])*/;
my $labels = qr/[a-zA-Z_]\w*="$escaped"(?:,[a-zA-Z_]\w*="$escaped")*/;

# Parse the text strictly; returns { series => value } and what is wrong.
sub parse
{
	my ($text) = @_;
	my (%values, %type, %done, @wrong);
	my $family = '';

	push @wrong, 'no newline at the end' unless $text =~ /\n\z/;
	foreach my $line (split /\n/, $text)
	{
		if ($line =~ /^# HELP ([a-zA-Z_:][\w:]*) ((?:[^\\]|\\[\\n])*)$/)
		{
			push @wrong, "$1 comes twice" if $done{$1}++;
			$family = $1;
		}
		elsif ($line =~ /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge)$/)
		{
			push @wrong, "TYPE of $1 is not below its HELP" if $1 ne $family || $type{$1};
			$type{$1} = $2;
		}
		elsif ($line =~ /^(([a-zA-Z_:][\w:]*)(?:\{$labels\})?) (\S+)$/)
		{
			my ($series, $metric, $value) = ($1, $2, $3);
			push @wrong, "$series is not below its TYPE" if $metric ne $family || !$type{$metric};
			push @wrong, "$series comes twice" if exists $values{$series};
			push @wrong, "$series is $value" unless $value =~ /^(?:-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|NaN|[-+]Inf)$/i;
			push @wrong, "counter $series is $value" if ($type{$metric} // '') eq 'counter' && $value =~ /^-|N/;
			$values{$series} = $value;
		}
		else { push @wrong, "line: $line"; }
	}
	return (\%values, \@wrong);
}

sub metrics
{
	my ($values, $wrong) = parse(sql_value($node, 'select cctv.metrics()') . "\n");
	return wantarray ? ($values, $wrong) : $values;
}

my (undef, $wrong) = parse("# HELP a b\na{x=\"1\"} 2\n");
isnt(scalar(@$wrong), 0, 'the parser of this test refuses a metric without a type');
(undef, $wrong) = parse("# HELP a b\n# TYPE a gauge\na{x=\"\"\"} 2\n");
isnt(scalar(@$wrong), 0, 'and a label that is not escaped');

# One with people, one with a name to be escaped, one that is not there, one off.
my $server = rtsp_camera('vtest.mp4');
my $closed = PostgreSQL::Test::Cluster::get_free_port();
add_camera($node, 'lobby', $server->url, record => 'continuous');
add_camera($node, 'the "back\\door"', $server->url, location => 'yard');
add_camera($node, 'gone', "rtsp://127.0.0.1:$closed/x");
$node->safe_psql('postgres', "select cctv.add_camera('off', '@{[ $server->url ]}')");
my %of;
foreach my $camera (split /\n/, $node->safe_psql('postgres', 'select camera_id || \' \' || name from cctv.cameras'))
{
	my ($id, $name) = split / /, $camera, 2;
	$name =~ s/(["\\])/\\$1/g;
	$of{$name} = qq(camera_id="$id",camera="$name");
}
wait_running($node, 'lobby');
wait_running($node, 'the "back\\door"');
wait_state($node, 'gone', 'reconnecting');
wait_sql($node, "select count(*) > 0 from cctv.recordings where kind = 'recording' and state = 'complete'",
	'a segment has been recorded', within => 120);
wait_sql($node, "select count(*) > 0 from cctv.alerts as a join cctv.cameras using (camera_id) where name = 'lobby'",
	'there are alerts', within => 120);
wait_sql($node, 'select min(analysed) > 5 from cctv.camera_status as s join cctv.cameras as c using (camera_id) where c.enabled and c.name <> \'gone\'',
	'frames have been analysed', within => 60);
wait_sql($node, 'select count(*) = 1 from cctv.engine_status where rss > 0 and queued is not null', 'the engine tells of its queue');

(my $now, $wrong) = metrics();
is_deeply($wrong, [], 'the text is what Prometheus reads');
cmp_ok(scalar(keys %$now), '>', 60, 'and says much');
my $lobby = qq($of{lobby},location="");
is($now->{'cctv_cameras{state="running"}'}, 2, 'two cameras run');
is($now->{'cctv_cameras{state="reconnecting"}'}, 1, 'one reconnects');
is($now->{'cctv_cameras{state="stopped"}'}, 1, 'one is stopped');
is($now->{'cctv_cameras_enabled'}, 3, 'three are enabled');
is($now->{"cctv_camera_up{$lobby}"}, 1, 'the lobby is watched');
is($now->{qq(cctv_camera_up{$of{'the \\"back\\\\door\\"'},location="yard"})}, 1, 'a name is escaped');
is($now->{qq(cctv_camera_up{$of{gone},location=""})}, 0, 'one is down');
ok(!exists $now->{qq(cctv_camera_up{$of{off},location=""})}, 'one that is not enabled is neither');
my $rate = $now->{qq(cctv_camera_frames_per_second{$lobby,stage="in"})};
ok($rate > 5 && $rate < 15, "frames a second come in: $rate of 10");
cmp_ok($now->{qq(cctv_camera_inference_seconds{$lobby})}, '>', 0, 'inferences take time');
cmp_ok($now->{qq(cctv_camera_inference_seconds{$lobby})}, '<', 5, 'but seconds at most');
cmp_ok($now->{qq(cctv_camera_inferences_total{$lobby})}, '>', 0, 'there were some');
my $bytes = sql_value($node,
	"select coalesce(sum(bytes), 0) from cctv.recordings where kind = 'recording' and state = 'complete'");
ok($now->{qq(cctv_camera_recorded_bytes_total{$lobby})} > 0 && $now->{qq(cctv_camera_recorded_bytes_total{$lobby})} <= $bytes,
	'bytes are counted when a recording has ended');
cmp_ok($now->{qq(cctv_alerts_total{$lobby,type="person",severity="warning"})}, '>', 0, 'alerts are counted');
is($now->{'cctv_worker_up'}, 1, 'the worker runs');
is($now->{'cctv_engine_up{engine="1"}'}, 1, 'the engine runs');
is($now->{'cctv_engine_cameras{engine="1"}'}, 3, 'with three cameras');
ok($now->{'cctv_engine_resident_memory_bytes{engine="1"}'} > 20e6, 'it takes memory');
ok($now->{'cctv_engine_cpu_seconds_total{engine="1"}'} > 0, 'and time');
cmp_ok($now->{'cctv_ingest_events_total'}, '>', 10, 'events have been stored');
cmp_ok($now->{'cctv_media_files{kind="recording"}'}, '>', 0, 'there are files');
ok($now->{'cctv_media_free_bytes'} > 0 && $now->{'cctv_media_free_bytes'} <= $now->{'cctv_media_size_bytes'}, 'on a disk');

# Counters go on; a stopped camera has no rate.
my $stored = $now->{'cctv_ingest_events_total'};
ok(wait_until(sub { metrics()->{'cctv_ingest_events_total'} > $stored + 10 }, 30), 'events go on being counted');
$node->safe_psql('postgres', "select cctv.stop('lobby')");
wait_state($node, 'lobby', 'stopped');
$now = metrics();
is($now->{qq(cctv_camera_frames_per_second{$lobby,stage="in"})}, 0, 'nothing comes from a camera that was stopped');
ok(!exists $now->{"cctv_camera_up{$lobby}"}, 'which is not down');

# Events wait while somebody holds a lock, and one can see it.
my $holder = $node->background_psql('postgres');
$holder->query_safe('begin; lock cctv.camera_status in share mode');
ok(wait_until(sub { metrics()->{'cctv_ingest_queued_events'} > 0 }, 30), 'while a lock is held, events are seen to wait');
$holder->query_safe('commit');
$holder->quit;
ok(wait_until(sub { metrics()->{'cctv_ingest_queued_events'} < 5 }, 30), 'and then not any more');

# An engine that dies is seen to have been restarted.
kill('KILL', engine_pids($node));
ok(wait_until(sub { (metrics()->{'cctv_engine_restarts_total{engine="1"}'} // 0) == 1 }, 30), 'a restart of the engine is counted');

# Who may see one camera is told of one.
$node->safe_psql('postgres', "create role guard in role cctv_viewer; select cctv.grant_camera('lobby', 'guard')");
($now, $wrong) = parse($node->safe_psql('postgres', 'set role guard; select cctv.metrics()') . "\n");
is_deeply($wrong, [], 'a guard reads the same format');
my %seen = map { /camera_id="(\d+)"/ ? ($1 => 1) : () } keys %$now;
is(join(' ', sort keys %seen), sql_value($node, "select camera_id from cctv.cameras where name = 'lobby'"),
	'and is told of the camera that was granted, and of no other');
is($now->{'cctv_cameras{state="stopped"}'}, 1, 'which is counted');
is($now->{'cctv_cameras{state="running"}'} + $now->{'cctv_cameras{state="reconnecting"}'}, 0, 'alone');
is($now->{'cctv_worker_up'}, 1, 'that the worker runs anybody may know');

# Who may see nothing is told nothing.
$node->safe_psql('postgres', 'create role stranger');
my ($out, $err);
isnt($node->psql('postgres', 'set role stranger; select cctv.metrics()', stdout => \$out, stderr => \$err), 0, 'a stranger is refused');
like($err, qr/permission denied/, 'for want of a privilege');

# Without a worker the rest is still told.
$node->append_conf('postgresql.conf', "cctv.databases = ''\n");
$node->reload;
ok(wait_until(sub { metrics()->{'cctv_worker_up'} eq '0' }, 30), 'that the worker does not run is told');
($now, $wrong) = metrics();
is_deeply($wrong, [], 'the text is still well-formed');
ok(!exists $now->{'cctv_ingest_events_total'}, 'what only the worker knows is absent');

finish();
