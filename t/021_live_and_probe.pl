# Pictures of running cameras on request, streams found at an address, and
# models that an engine has tried.
use strict;
use warnings;
use lib 't/lib';
use IO::Socket::INET;
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('live');
$node->start;
create_extension($node);

sub fails
{
	my ($sql, $state, $like, $test) = @_;
	my ($stdout, $stderr) = ('', '');
	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my ($got) = $stderr =~ /ERROR:\s+(\w{5}):/;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($got // 'none', $state, "$test: $state") or diag($stderr . $stdout);
	like($stderr, $like, "$test: says why");
	return;
}

# A JPEG that a query gives, as a file: (path, width, height).
my $pictures = 0;
sub picture
{
	my ($sql) = @_;
	my $hex = sql_value($node, $sql);
	my $path = $node->basedir . '/' . ++$pictures . '.jpg';
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file pack('H*', $hex =~ s/^\\x//r);
	close $file;
	return ($path, jpeg_size($path));
}

#
# Probing
#
my $open = rtsp_camera('vtest.mp4');
my ($port) = $open->url =~ /:(\d+)\//;
my $closed = rtsp_camera('vtest-720p.mp4', user => 'viewer', password => 's3c/ret');
my ($closed_port) = $closed->url =~ /:(\d+)\//;

is(sql_value($node, "select url || ' ' || codec || ' ' || width || 'x' || height || ' ' || round(fps) || ' ' || still from cctv.probe('" . $open->url . "')"),
	$open->url . ' h264 768x576 10 false', 'probe of a URL');
is(sql_value($node, "select string_agg(url, ' ') from cctv.probe('127.0.0.1:$port')"), $open->url, 'probe of a host and port');
my $begin = time;
fails("select * from cctv.probe('127.0.0.1:$closed_port')", '08000', qr/it asks for a user name and password \(401\)/, 'without a password');
fails("select * from cctv.probe('127.0.0.1:$closed_port', 'viewer', 'wr0ng-one')", '08000', qr/the user name or password is wrong \(401\)/, 'with a wrong one');
cmp_ok(time - $begin, '<', 5, 'and it was not asked at every path');
is(sql_value($node, "select url from cctv.probe('127.0.0.1:$closed_port', 'viewer', 's3c/ret')"), $closed->url, 'with the right one');
is(sql_value($node, "select url from cctv.probe('viewer:s3c%2Fret\@127.0.0.1:$closed_port')"), $closed->url, 'and in the address');
fails("select * from cctv.probe('rtsp://127.0.0.1:$port/nothing')", '08000', qr/no such stream \(404\)/, 'a path that is not there');
fails("select * from cctv.probe('127.0.0.1:1')", '08000', qr/[Cc]onnection refused/, 'a port at which nobody listens');
fails("select * from cctv.probe('0')", '08000', qr/No such file|source_paths/, 'a device that is not there');
fails("select * from cctv.probe('/etc/passwd')", '08000', qr/outside cctv\.source_paths/, 'a file elsewhere');
fails("select * from cctv.probe('what is this?')", '22023', qr/cannot be probed.*HINT/s, 'no address at all');
fails("select * from cctv.probe('127.0.0.1', time_limit => '1 hour')", '22023', qr/time_limit must be/, 'too long a time limit');
fails('select * from cctv.probe(null)', '22004', qr/must not be null/, 'null');

my $stall = bad_server('stall');
$begin = time;
fails("select * from cctv.probe('127.0.0.1:" . $stall->{port} . "', time_limit => '3 s')", '08000', qr/no answer in time/, 'a server that says nothing');
cmp_ok(time - $begin, '<', 6, 'within the time limit');
my $garbage = bad_server('garbage');
fails("select * from cctv.probe('127.0.0.1:" . $garbage->{port} . "', time_limit => '4 s')", '08000', qr/no stream was found/, 'a server of garbage');

my $gone = bad_server('gone');
fails("select * from cctv.probe('http://127.0.0.1:" . $gone->{port} . "/video')", '08000', qr/the server refuses the request \(4xx\)/, 'a server that refuses');

my $mjpeg = http_mjpeg_camera('vtest.mp4');
is(sql_value($node, "select codec || ' ' || width || 'x' || height || ' ' || still from cctv.probe('" . $mjpeg->url . "')"),
	'mjpeg 768x576 false', 'motion JPEG over HTTP');

# A camera that has single pictures only.
my $www = $node->basedir . '/www';
mkdir $www;
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-i', media('vtest.mp4'), '-frames:v', 1, "$www/snapshot.jpg" ]);
my $stills = file_server($www);
my ($still_address) = $stills->url =~ m{//(.*)};
is(sql_value($node, "select string_agg(url || ' ' || width || ' ' || still, ',') from cctv.probe('$still_address')"),
	$stills->url . '/snapshot.jpg 768 true', 'a still');
fails("select cctv.add_camera('stills', '$still_address')", '08000', qr/only single pictures/, 'which is no camera');

# add_camera by the address alone.
like(sql_value($node, "select cctv.add_camera('porch', '127.0.0.1:$port')"), qr/^\d+$/, 'add_camera finds the stream');
is(sql_value($node, "select url from cctv.cameras where name = 'porch'"), $open->url, 'and stores its URL');
sql_value($node, "select cctv.add_camera('gate', 'viewer:s3c%2Fret\@127.0.0.1:$closed_port')");
is(sql_value($node, "select c.url || ' ' || s.username || ' ' || s.password from cctv.cameras c join cctv.camera_secrets s using (camera_id) where name = 'gate'"),
	$closed->url . ' viewer s3c/ret', 'with its credentials where they belong');
fails("select cctv.add_camera('nobody', '127.0.0.1:1')", '08000', qr/no stream was found/, 'none is added where nothing streams');
unlike(log_since($node), qr/LOG:.*(s3c|wr0ng)|WARNING:.*(s3c|wr0ng)/, 'no password in what the engine and the worker log');

#
# Pictures of a running camera
#
fails("select cctv.live_frame('porch')", '55000', qr/camera "porch" is stopped.*cctv\.start/s, 'of a stopped camera');
fails("select cctv.live_frame('attic')", '42704', qr/camera "attic" does not exist/, 'of no camera');
fails('select cctv.live_frame(4711)', '42704', qr/camera 4711 does not exist/, 'the same by its key');
$node->safe_psql('postgres', "select cctv.start('porch')");
wait_running($node, 'porch');
wait_sql($node, 'select count(*) > 0 from cctv.detections', 'somebody is seen');

my ($path, $width, $height) = picture("select cctv.live_frame('porch')");
is("$width x $height", '768 x 576', 'a picture of full size');
(undef, $width, $height) = picture("select cctv.live_frame('porch', max_width => 320)");
is("$width x $height", '320 x 240', 'a small one');
(undef, $width, $height) = picture("select cctv.live_frame('porch', false, 100000)");
is("$width x $height", '768 x 576', 'not enlarged');
is(sql_value($node, "select cctv.live_frame('porch') is null, cctv.live_frame(null::integer) is null"), 'f|t', 'null of null');
fails("select cctv.live_frame('porch', max_width => 3)", '22023', qr/max_width/, 'too small a one');
my $first = sql_value($node, "select md5(cctv.live_frame('porch', false))");
ok(wait_until(sub { sql_value($node, "select md5(cctv.live_frame('porch', false))") ne $first }, 10), 'it lives');

# Ten a second from one session, or a third of that when the machine is busy.
my $took = '';
$node->psql('postgres', <<'SQL', stderr => \$took);
do $$
declare
	since timestamptz := clock_timestamp();
begin
	for i in 1 .. 30 loop
		perform cctv.live_frame('porch');
	end loop;
	raise notice 'took %', extract(epoch from clock_timestamp() - since);
end
$$;
SQL
my ($seconds) = $took =~ /took ([\d.]+)/;
cmp_ok($seconds // 99, '<', 9, sprintf('30 pictures in %.2f s', $seconds // 99));

my $snapshot = sql_value($node, "select cctv.take_snapshot('porch')");
like($snapshot, qr{^\d+/\d{4}-\d\d-\d\d/\d{6}\.\d{3}-0\.jpg$}, 'take_snapshot gives a path');
my $file = kept_media($node) . "/$snapshot";
is(join(' x ', jpeg_size($file)), '768 x 576', 'with the picture');
is(sprintf('%o', (stat $file)[2] & 07777), '600', 'for the server alone');
wait_sql($node, "select count(*) = 1 from cctv.recordings where path = '$snapshot' and kind = 'snapshot' and reason = 'manual' and sha256 is not null and width = 768 and bytes = " . (-s $file), 'and a row');
like(sql_value($node, "begin; select cctv.take_snapshot('porch'); rollback;"), qr{^(BEGIN\n)?\d+/}, 'one in a transaction that is rolled back');
wait_sql($node, "select count(*) = 2 from cctv.recordings where kind = 'snapshot' and track_id is null", 'has a row all the same');
isnt(sql_value($node, "select cctv.take_snapshot('porch', false)"), $snapshot, 'the next is another');

# Who may see a camera's row may see its picture, and nobody else.
my $granted = $node->safe_psql('postgres', <<'SQL');
create role viewer in role cctv_viewer;
create role operator in role cctv_operator;
select cctv.grant_camera('gate', 'viewer');
select cctv.grant_camera('gate', 'operator', 'operate');
select cctv.grant_camera('porch', 'operator');
SQL
my $porch = sql_value($node, "select camera_id from cctv.cameras where name = 'porch'");
fails("set role viewer; select cctv.live_frame($porch)", '42704', qr/camera $porch does not exist/, 'row security hides the camera');
$node->safe_psql('postgres', "select cctv.grant_camera('porch', 'viewer')");
like(sql_value($node, "set role viewer; select length(cctv.live_frame($porch)) > 1000"), qr/^(SET\n)?t$/, 'or lets it be seen');
fails("set role viewer; select cctv.take_snapshot($porch)", '42501', qr/permission denied for function/, 'each function has its own privilege');
fails("set role operator; select cctv.take_snapshot($porch)", '42501', qr/permission denied to operate camera "porch"/, 'who may see a camera has no picture of it written');
fails("set role operator; select cctv.snapshot_now($porch, true)", '42501', qr/permission denied to operate camera "porch"/, 'nor by another function');
$node->safe_psql('postgres', "select cctv.grant_camera('porch', 'operator', 'operate')");
like(sql_value($node, "set role operator; select cctv.take_snapshot($porch)"), qr{^(SET\n)?$porch/}, 'who may operate it does');
is(sql_value($node, "set role operator; select cctv.probe('/dev/video0')") =~ /permission denied to read files and devices/ ? 'no' : 'yes', 'no', 'devices are the administrator\'s');

# The stream is lost: no picture of the past is called live.
$open->stop;
wait_state($node, 'porch', 'reconnecting');
fails("select cctv.live_frame('porch')", '55000', qr/no picture comes from the camera/, 'of a lost stream');
fails("select cctv.take_snapshot('porch')", '55000', qr/no picture comes from the camera/, 'the same');

#
# Models
#
my $labels = "(select labels from cctv.models where name = 'objects')";
is(sql_value($node, "select cctv.add_model('mine', 'efficientdet', 'efficientdet-lite1.onnx', $labels, licence => 'mine')"), '', 'a model that fits');
is(sql_value($node, "select input_width || 'x' || input_height || ' ' || licence from cctv.models where name = 'mine'"), '384x384 mine', 'its input size is its own');
fails("select cctv.add_model('mine', 'efficientdet', 'efficientdet-lite1.onnx', $labels)", '42710', qr/already exists/, 'the same again');
fails("select cctv.add_model('few', 'efficientdet', 'efficientdet-lite1.onnx', '{person}')", '22023', qr/scores\b.*9.*1/s, 'labels that do not fit');
fails("select cctv.add_model('strange', 'sorcery', 'ultraface.onnx', '{face}')", '22023', qr/unknown kind "sorcery"/, 'a kind that there is not');
fails("select cctv.add_model('strange', 'sorcery', null, '{face}')", '22023', qr/unknown kind "sorcery"/, 'such a kind without a file');
fails("select cctv.add_model('strange', null, null, '{face}')", '22023', qr/kind .* needed/, 'no kind at all');
fails("select cctv.add_model('out', 'ultraface', '../../../etc/passwd', '{face}')", '22023', qr/outside the models' directory/, 'a file outside');
fails("select cctv.add_model('out', 'ultraface', '/etc/passwd', '{face}')", '22023', qr/outside the models' directory/, 'an absolute one');
fails("select cctv.add_model('none', 'ultraface', 'none.onnx', '{face}')", '42704', qr/"none\.onnx" cannot be read: No such file/, 'a file that is not there');
is(sql_value($node, "select cctv.add_model('hot', 'hotspot', null, '{overheat}', 384, 288, options => '{\"threshold\": 230}')"), '', 'a kind without a file');
is(sql_value($node, "select string_agg(name, ' ' order by name) from cctv.models where not builtin"), 'hot mine', 'only what fits is registered');

finish();
