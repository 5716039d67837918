# Cameras are published to servers, annotated or as they come, and no server,
# however it behaves, is felt by the camera.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $made = $PostgreSQL::Test::Utils::tmp_check;
my $node = cctv_node('publish',
	conf => "cctv.stall_timeout = '4s'\ncctv.source_paths = '@{[ CctvTest::media_dir() ]}, $made'\n");
$node->start;
create_extension($node);
my $taken = $node->basedir . '/taken';
mkdir $taken;

my $camera = rtsp_camera('vtest.mp4');

sub publish
{
	my ($name, $url, %columns) = @_;
	my $set = join(', ', "publish_url = " . (defined $url ? "'$url'" : 'null'), map { "$_ = '$columns{$_}'" } sort keys %columns);
	return $node->safe_psql('postgres', "update cctv.cameras set $set where name = '$name'");
}

sub publishing
{
	my ($name, $like, $test, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_sql($node, "select publishing ~ '$like' from cctv.status where camera = '$name'", $test, %options);
}

# What ffprobe says of the video that a server has taken so far.
sub video
{
	my ($file, $what) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffprobe -v error -select_streams), 'v:0', '-show_entries', "stream=$what", '-of', 'csv=p=0', $file ],
		'<', \undef, '>', \$out, '2>', \$err);
	return (split /\n/, $out)[0] // '';
}

# How many frames of a file are whole, within the first seconds.
sub frames
{
	my ($file) = @_;
	return 0 unless -s $file;
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffprobe -v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0), $file ],
		'<', \undef, '>', \$out, '2>', \$err);
	return $out =~ /(\d+)/ ? $1 : 0;
}

# The newest keyframe that a file holds, as rows of [red, green, blue].
sub picture
{
	my ($file, $width, $height) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffmpeg -nostdin -v error -skip_frame nokey -i), $file, qw(-f rawvideo -pix_fmt rgb24 -) ],
		'<', \undef, '>', \$out, '2>', \$err);
	my $size = $width * $height * 3;
	return unless length $out >= $size;
	my $frame = substr($out, int(length($out) / $size) * $size - $size, $size);
	my @rows;
	foreach my $y (0 .. $height - 1)
	{
		my @values = unpack('C*', substr($frame, $y * $width * 3, $width * 3));
		push @rows, [ map { [ @values[ $_ * 3 .. $_ * 3 + 2 ] ] } 0 .. $width - 1 ];
	}
	return @rows;
}

# How many pixels of a part of the picture are near a colour.
sub count_near
{
	my ($rows, $colour, $x0, $y0, $x1, $y1) = @_;
	my $count = 0;
	foreach my $row (@$rows[ $y0 .. $y1 - 1 ])
	{
		foreach my $pixel (@$row[ $x0 .. $x1 - 1 ])
		{
			$count++ unless grep { abs($pixel->[$_] - $colour->[$_]) > 40 } 0 .. 2;
		}
	}
	return $count;
}

# Frames analysed a second, over some seconds from now on.
sub analysed_a_second
{
	my ($name, $seconds) = @_;
	my $query = "select analysed || ' ' || extract(epoch from updated_at) from cctv.v_camera_health where camera = '$name'";
	my ($from, $since) = split / /, sql_value($node, $query);
	my ($to, $until) = ($from, $since);
	wait_until(sub { ($to, $until) = split / /, sql_value($node, $query); $until - $since >= $seconds }, 30);
	return ($to - $from) / ($until - $since);
}

#
# The server is not there yet
#
my $sink = rtsp_sink($taken, [ 'lobby', 'copy', 'hevc=h265', 'jpeg=jpeg', 'sound=h264,aac' ], absent => 1);
$node->safe_psql('postgres', 'begin;'
	  . "select cctv.add_camera('Lobby S\xc3\xbcd', '" . $camera->url . "');"
	  . "update cctv.cameras set name = 'lobby' where name like 'Lobby%';"
	  . "select cctv.add_zone('lobby', 'neighbour', '{{0,0},{0.25,0},{0.25,0.25},{0,0.25}}', 'privacy');"
	  . "select cctv.start('lobby'); commit;");
publish('lobby', $sink->url . '/lobby');
wait_running($node, 'lobby');
publishing('lobby', '^(failed|connecting): connection refused', 'nobody listens');
is(sql_value($node, q{select ok from cctv.health() where item = 'publishing of "lobby"'}), 'f', 'health says so');
$sink->start;
publishing('lobby', '^publishing$', 'the server comes');
is(sql_value($node, q{select ok from cctv.health() where item = 'publishing of "lobby"'}), 't', 'health says that too');
wait_sql($node, 'select publish_fps > 5 and publish_reconnects > 0 from cctv.v_camera_health', 'with pictures');
wait_sql($node, 'select count(*) > 0 from cctv.detections where at > now() - interval \'2 s\'', 'somebody is seen');

#
# What a viewer sees
#
my $file = "$taken/lobby.mkv";
ok(wait_until(sub { frames($file) >= 60 }, 60), 'frames arrive');
is(video($file, 'codec_name,profile,width,height'), 'h264,Constrained Baseline,768,576', 'H.264 for every browser, in full size');
my @rows = picture($file, 768, 576);
is(scalar(@rows), 576, 'they can be decoded');
cmp_ok(count_near(\@rows, [ 255, 176, 66 ], 0, 0, 768, 540), '>', 400, 'boxes and labels are drawn');
cmp_ok(count_near(\@rows, [ 0, 0, 0 ], 4, 4, 188, 140), '>', 184 * 136 * 0.8, 'what is private is black, but for labels');
cmp_ok(count_near(\@rows, [ 255, 255, 255 ], 0, 556, 400, 576), '>', 100, 'name, time and rate are written in white')
  and cmp_ok(count_near(\@rows, [ 0, 0, 0 ], 0, 556, 400, 576), '>', 3000, 'on black');
# Grass is green, whatever the camera thinks of ranges.
my $grass = $rows[450][120];
cmp_ok($grass->[1], '>', $grass->[2] + 20, 'colours are right');

#
# The server dies, and returns
#
$sink->stop;
publishing('lobby', '^failed|connection refused', 'the server is killed');
$sink->start;
publishing('lobby', '^publishing$', 'and started again');

#
# The server takes nothing any more
#
my $before = analysed_a_second('lobby', 6);
my $dropped = sql_value($node, 'select publish_dropped from cctv.v_camera_health');
$sink->suspend;
my $during = analysed_a_second('lobby', 10);
publishing('lobby', 'the server has stopped taking the stream|no answer in time', 'the server stalls');
cmp_ok($during, '>', $before * 0.8, sprintf('the camera does not feel it: %.2f frames a second, before %.2f', $during, $before));
wait_sql($node, 'select state = \'running\' and reconnects = 0 from cctv.v_camera_health', 'nor its stream');
cmp_ok(sql_value($node, 'select publish_dropped from cctv.v_camera_health'), '>', $dropped, 'what was not sent is counted');
# A camera that is stopped now does not wait for the server either.
my $begin = time;
$node->safe_psql('postgres', "select cctv.stop('lobby')");
ok(wait_until(sub { !engine_pids($node) }, 10), 'the engine ends') and cmp_ok(time - $begin, '<', 5, sprintf('within %.1f s', time - $begin));
is(sql_value($node, "select publishing from cctv.status where camera = 'lobby'"), '', 'a stopped camera is not published');
$sink->resume;
$node->safe_psql('postgres', "select cctv.start('lobby')");
publishing('lobby', '^publishing$', 'the server goes on, and so does the stream');

#
# Elsewhere, and nowhere
#
publish('lobby', undef);
wait_sql($node, q{select publishing = '' from cctv.status where camera = 'lobby'}, 'no longer');
my $closed = rtsp_sink($taken, ['closed'], user => 'out', password => 'r1ght-one');
(my $address = $closed->url) =~ s{rtsp://}{};
publish('lobby', "rtsp://$address/closed");
publishing('lobby', '^failed: the server asks for a user name and password \(401\)', 'without a password');
publish('lobby', "rtsp://out:wr0ng-one\@$address/closed");
publishing('lobby', '^failed: the user name or password is wrong \(401\)', 'with a wrong one');
$begin = time;
publish('lobby', "rtsp://out:r1ght-one\@$address/closed");
publishing('lobby', '^publishing$', 'with the right one');
cmp_ok(time - $begin, '<', 30, 'at once, whatever the wait was');
ok(wait_until(sub { frames("$taken/closed.mkv") >= 10 }, 30), 'there, too');
publish('lobby', "rtsp://$address/nothing");
publishing('lobby', '^failed: ', 'a path that is not there');
unlike(log_since($node), qr/wr0ng|r1ght/, 'no password in the log');
unlike(sql_value($node, 'select string_agg(m, \' \') from (select row(s.*)::text from cctv.camera_status s union all select row(c.*)::text from cctv.cameras c union all select row(n.*)::text from cctv.notifications n) as t (m)'),
	qr/wr0ng|r1ght/, 'nor in what may be read');

#
# Packets as they come
#
publish('lobby', $sink->url . '/copy', publish_annotated => 'false');
publishing('lobby', '^publishing$', 'unannotated');
ok(wait_until(sub { frames("$taken/copy.mkv") >= 60 }, 60), 'packets arrive');
is(video("$taken/copy.mkv", 'codec_name,profile'), video(media('vtest.mp4'), 'codec_name,profile'), 'as the camera encoded them');
$sink->suspend;
# Nobody looks for anything: it is only published.
$node->safe_psql('postgres', "select cctv.set_detection('lobby', false)");
publishing('lobby', 'the server has stopped taking the stream|no answer in time', 'a stall of packets', within => 120);
$sink->resume;
publishing('lobby', '^publishing$', 'and its end');
wait_sql($node, q{select fps_decoded = 0 and fps_in > 5 from cctv.v_camera_health where camera = 'lobby'}, 'nothing is decoded for it');
add_camera($node, 'street', media('vtest-hevc.mp4'), loop => 'true', detect => 'false',
	publish_url => $sink->url . '/hevc', publish_annotated => 'false');
add_camera($node, 'hall', media('sound-aac.ts'), loop => 'true', detect => 'false',
	publish_url => $sink->url . '/sound', publish_annotated => 'false');
ok(wait_until(sub { frames("$taken/hevc.mkv") >= 20 }, 60), 'HEVC');
is(video("$taken/hevc.mkv", 'codec_name'), 'hevc', 'as it is');
my $mjpeg = rtsp_camera('vtest.mjpeg.avi');
add_camera($node, 'gate', $mjpeg->url, detect => 'false', publish_url => $sink->url . '/jpeg', publish_annotated => 'false');
ok(wait_until(sub { frames("$taken/jpeg.mkv") >= 20 }, 60), 'motion JPEG of an RTSP camera');
is(video("$taken/jpeg.mkv", 'codec_name,width,height'), 'mjpeg,768,576', 'as it is');
$node->safe_psql('postgres', "select cctv.stop('gate')");
# Encoders may choose tables of their own, of which RTP tells nobody.
my $tables = "$made/tables.avi";
system(qw(ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=320x240:rate=10 -t 4 -c:v mjpeg -huffman optimal), $tables) == 0
  or die "ffmpeg cannot make $tables\n";
add_camera($node, 'tables', $tables, loop => 'true', detect => 'false', publish_url => $sink->url . '/jpeg', publish_annotated => 'false');
publishing('tables', '^failed: rtsp cannot carry this motion JPEG; annotated it would be H.264', 'motion JPEG that cannot be carried is told');
$node->safe_psql('postgres', "select cctv.stop('tables')");
ok(wait_until(sub { frames("$taken/sound.mkv") >= 20 }, 60), 'a stream with sound');
my $streams = '';
IPC::Run::run([ qw(ffprobe -v error -show_entries stream=codec_name -of csv=p=0), "$taken/sound.mkv" ], '<', \undef, '>', \$streams);
is(join(' ', sort split /\n/, $streams), 'aac h264', 'has both');

#
# Other protocols
#
my $rtmp = 'rtmp://127.0.0.1:' . PostgreSQL::Test::Cluster::get_free_port() . '/live/hall';
publish('hall', $rtmp, publish_annotated => 'true');
publishing('hall', 'connection refused', 'RTMP: nobody there');
my $listener = listener_of($rtmp, "$taken/rtmp.mkv", qw(-listen 1));
ok(wait_until(sub { frames("$taken/rtmp.mkv") >= 10 }, 60), 'RTMP');
is(video("$taken/rtmp.mkv", 'codec_name,width'), 'h264,' . video(media('sound-aac.ts'), 'width'), 'H.264');
$listener->stop;
publish('street', $rtmp);
publishing('street', '^failed: rtmp cannot carry hevc; annotated it would be H.264', 'what RTMP cannot carry is said');
publish('street', undef);
my $srt = 'srt://127.0.0.1:' . PostgreSQL::Test::Cluster::get_free_port();
$listener = listener_of("$srt?mode=listener&passphrase=0123456789ab", "$taken/srt.mkv");
publish('hall', $srt =~ s{//}{//:0123456789ab\@}r . '?streamid=publish:hall');
ok(wait_until(sub { frames("$taken/srt.mkv") >= 10 }, 60), 'SRT, encrypted');
$listener->stop;
publish('hall', undef);

# A file played as fast as possible outruns any viewer.
add_camera($node, 'archive', media('vtest.mp4'), realtime => 'false', detect => 'false', publish_url => $sink->url . '/lobby');
wait_state($node, 'archive', 'finished');
is(sql_value($node, "select publishing from cctv.status where camera = 'archive'"), '', 'it is not published');

finish();
