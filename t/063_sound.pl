# Sound of real RTSP cameras: A-law and mu-law, which MP4 does not hold, become
# AAC; AAC is copied.  It goes on over the borders of files, and into a clip.
use strict;
use warnings;
use lib 't/lib';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('sound', conf => "cctv.segment_duration = '3s'\n");
$node->start;
create_extension($node);
my $media = kept_media($node);

# Packets of a file's sound: time, duration (seconds).
sub sound
{
	my ($path) = @_;
	my $out = '';
	IPC::Run::run([ qw(ffprobe -v error -select_streams a:0 -show_entries), 'packet=pts_time,duration_time', '-of', 'csv=p=0', "$media/$path" ],
		'<', \undef, '>', \$out);
	return map { [ (split /,/)[ 0, 1 ] ] } grep { /^[\d.-]+,[\d.]/ } split /\n/, $out;
}

# How often a second the sound of a file swings: of a tone, its frequency.
sub frequency
{
	my ($path) = @_;
	my $pcm = '';
	IPC::Run::run([ qw(ffmpeg -v error -i), "$media/$path", qw(-vn -ac 1 -ar 8000 -f s16le -) ], '<', \undef, '>', \$pcm);
	my @samples = unpack('s<*', $pcm);
	return 0 unless @samples > 8000;
	# Without the beginning, where the encoder's filter fills.
	splice(@samples, 0, 2000);
	my $crossings = grep { ($samples[ $_ - 1 ] < 0) != ($samples[$_] < 0) } 1 .. $#samples;
	return $crossings / 2 / (@samples / 8000);
}

# Where the end of one packet and the beginning of the next lie apart.  A camera's
# report of its clock may move what follows once, by what its processor was late.
sub gaps
{
	my (@packets) = @_;
	return grep { $_ > 0.07 }
	  map { abs($packets[$_][0] - $packets[ $_ - 1 ][0] - $packets[ $_ - 1 ][1]) } 1 .. $#packets;
}

sub is_gapless
{
	my ($test, @packets) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @gaps = gaps(@packets);
	return ok(@gaps == 0 || @gaps == 1 && $gaps[0] < 0.4, "$test (" . @packets . ' packets)') || diag("gaps: @gaps s");
}

my %cameras = map { $_ => rtsp_camera('vtest.mp4', mount => "sound=$_") } qw(alaw mulaw aac);
add_camera($node, $_, $cameras{$_}->url, record => 'continuous', detect => 'false') foreach sort keys %cameras;
foreach my $camera (sort keys %cameras)
{
	wait_sql($node, "select count(*) >= 4 from cctv.recordings as r join cctv.cameras as c using (camera_id)"
		  . " where c.name = '$camera' and r.kind = 'recording' and r.state = 'complete'", "$camera: four files");
	my @rows = @{ JSON::PP->new->decode(sql_value($node,
			'select json_agg(r order by r.started_at) from (select r.*, extract(epoch from r.started_at) as t0, extract(epoch from r.ended_at) as t1'
			  . " from cctv.recordings as r join cctv.cameras as c using (camera_id) where c.name = '$camera' and r.state = 'complete'"
			  . " and r.kind = 'recording') as r")) }[ 0 .. 3 ];
	is(join(' ', map { $_->{has_audio} ? 'sound' : 'silence' } @rows), 'sound sound sound sound', "$camera: with sound");
	my $codec = '';
	IPC::Run::run([ qw(ffprobe -v error -select_streams a -show_entries stream=codec_name -of csv=p=0), "$media/$rows[1]{path}" ], '<', \undef, '>', \$codec);
	is($codec, "aac\n", "$camera: as AAC");
	my @line;
	foreach my $row (@rows)
	{
		push @line, map { [ $row->{t0} + $_->[0], $_->[1] ] } sound($row->{path});
	}
	is_gapless("$camera: without a gap, within files and from one to the next", @line);
	cmp_ok(abs($line[-1][0] - $rows[3]{t1}), '<', 0.7, "$camera: to the end of the last picture");
	cmp_ok(abs(frequency($rows[1]{path}) - 440), '<', 15, "$camera: the tone that was played");
	my $clip = sql_value($node, "select path from cctv.export_clip('$camera', '$rows[0]{started_at}'::timestamptz + interval '1 s', '$rows[3]{ended_at}')");
	is_gapless("$camera: a clip goes on over their borders", sound($clip));
	cmp_ok(abs(frequency($clip) - 440), '<', 15, "$camera: with that tone");
}

finish();
