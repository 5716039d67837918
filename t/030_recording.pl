# Recording: a row for each file, every frame once, whatever happens to engine
# and disk.
use strict;
use warnings;
use lib 't/lib';
use Digest::SHA;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('recording', conf => "cctv.segment_duration = '3s'\n");
$node->start;
create_extension($node);
my $media = kept_media($node);

my $camera = rtsp_camera('vtest.mp4');
my $large = rtsp_camera('vtest-720p.mp4');

# What ffprobe sees in a file.
sub probe
{
	my ($path) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffprobe -v error -select_streams v -count_packets -show_entries),
			'stream=codec_name,width,height,nb_read_packets', '-of', 'json', "$media/$path" ],
		'<', \undef, '>', \$out, '2>', \$err);
	my $streams = eval { JSON::PP->new->decode($out)->{streams} } || [];
	return { error => $err, %{ $streams->[0] || {} } };
}

# The rows of a camera's files, oldest first.
sub recordings
{
	my ($name, $where) = @_;
	my $rows = sql_value($node,
		'select coalesce(json_agg(r order by r.started_at), \'[]\') from (select r.*,'
		  . " encode(r.sha256, 'hex') as sum, extract(epoch from r.ended_at - r.started_at) as seconds"
		  . " from cctv.recordings as r join cctv.cameras as c using (camera_id)"
		  . " where c.name = '$name' and r.kind = 'recording' and " . ($where // 'true') . ') as r');
	return @{ JSON::PP->new->decode($rows) };
}

sub complete { return "select count(*) >= $_[1] from cctv.recordings as r join cctv.cameras as c using (camera_id)"
	  . " where c.name = '$_[0]' and r.kind = 'recording' and r.state = 'complete'" . ($_[2] // ''); }

# Every file is what its row says.
sub check_files
{
	my ($what, @rows) = @_;
	foreach my $row (@rows)
	{
		my $path = "$media/$row->{path}";
		my $seen = probe($row->{path});
		is($seen->{error}, '', "$what: $row->{path} plays without complaint");
		is($seen->{nb_read_packets}, $row->{frames}, "$what: with the frames of its row");
		is("$seen->{codec_name} $seen->{width}x$seen->{height}",
			"$row->{codec} $row->{width}x$row->{height}", "$what: codec and size");
		is(-s $path, $row->{bytes}, "$what: bytes");
		is(Digest::SHA->new(256)->addfile($path, 'b')->hexdigest, $row->{sum}, "$what: checksum");
		is(sprintf('%o', (stat $path)[2] & 07777), '600', "$what: nobody else's");
	}
	return;
}

# Continuous, undetected: segments follow each other without a gap.
add_camera($node, 'always', $camera->url, record => 'continuous', detect => 'false');
wait_sql($node, complete('always', 3), 'continuous: three segments');
my @rows = grep { $_->{state} eq 'complete' } recordings('always');
check_files('continuous', @rows);
is(scalar(grep { $_->{reason} ne 'continuous' } @rows), 0, 'continuous: that is why');
is(scalar(grep { $rows[$_]{started_at} ne $rows[ $_ - 1 ]{ended_at} } 1 .. $#rows),
	0, 'continuous: each begins where the last has ended');
# Ten frames a second.
is(scalar(grep { abs($_->{seconds} * 10 - $_->{frames}) > 0.5 } @rows),
	0, 'continuous: and holds as many frames as fit between');

# A moment leads to its picture: the segment that holds now.
wait_sql($node, "select exists (select from cctv.recordings where state = 'open')", 'one is being written');

# By hand, with the main stream, which is larger than the analysed one.
add_camera($node, 'two', $large->url, detect_url => $camera->url, detect => 'false');
wait_running($node, 'two');
is(scalar recordings('two'), 0, 'by hand: nothing before it is asked for');
$node->safe_psql('postgres', "select cctv.start_recording('two')");
wait_sql($node, complete('two', 1), 'by hand: a segment');
$node->safe_psql('postgres', "select cctv.stop_recording('two')");
wait_sql($node,
	"select bool_and(state = 'complete') from cctv.recordings join cctv.cameras using (camera_id) where name = 'two'",
	'by hand: it ends');
@rows = recordings('two');
check_files('by hand', @rows);
is(join(' ', map { "$_->{reason} $_->{width}" } @rows), join(' ', ('manual 1280') x @rows), 'by hand: of the main stream');
my $count = @rows;

# Motion: before and after it nothing, and the reason told.
add_camera($node, 'moving', $camera->url, record => 'motion', detect => 'false', pre_roll => '1s', post_roll => '1s');
wait_sql($node, complete('moving', 2), 'motion: two segments');
@rows = grep { $_->{state} eq 'complete' } recordings('moving');
check_files('motion', @rows);
is(scalar(grep { $_->{reason} ne 'motion' } @rows), 0, 'motion: that is why');
$node->safe_psql('postgres', "select cctv.stop('moving')");
wait_sql($node,
	"select bool_and(r.state = 'complete') from cctv.recordings as r join cctv.cameras using (camera_id) where name = 'moving'",
	'a camera that stops completes its file');

# Alerts: what surrounds them.
add_camera($node, 'alarmed', $camera->url, record => 'alerts', pre_roll => '2s', post_roll => '2s');
wait_sql($node, complete('alarmed', 1), 'alerts: a segment');
@rows = grep { $_->{state} eq 'complete' } recordings('alarmed');
is($rows[0]{reason}, 'alert', 'alerts: that is why');
wait_sql($node,
	"select exists (select from cctv.alerts as a join cctv.cameras as c using (camera_id)"
	  . " join cctv.recordings as r using (camera_id) where c.name = 'alarmed' and r.kind = 'recording'"
	  . ' and a.at between r.started_at and coalesce(r.ended_at, now()))',
	'alerts: the file holds the moment');
check_files('alerts', @rows);
$node->safe_psql('postgres', "select cctv.stop('alarmed')");

# Pictures: best of a track, with its checksum.
wait_sql($node, "select count(*) > 0 from cctv.recordings where kind = 'snapshot' and sha256 is not null", 'pictures have rows');
wait_sql($node, "select count(*) = 0 from cctv.recordings where kind = 'snapshot' and state = 'open'", 'all written');
my ($path, $sum) = split /\|/, sql_value($node,
	"select path, encode(sha256, 'hex') from cctv.recordings where kind = 'snapshot' order by created_at limit 1");
is(Digest::SHA->new(256)->addfile("$media/$path", 'b')->hexdigest, $sum, 'a picture is what its row says');
is(join('x', jpeg_size("$media/$path")), '768x576', 'of the size of the frame');

# The disk is lost: recording stops and says so, detection goes on, and it resumes.
my ($id) = split /\n/, sql_value($node, "select camera_id from cctv.cameras where name = 'always'");
my ($day) = sql_value($node,
	"select regexp_replace(path, '/[^/]*\$', '') from cctv.recordings where camera_id = $id order by started_at desc limit 1");
chmod(0500, "$media/$day") or die;
wait_sql($node, "select failed_at is not null from cctv.recording_status where camera_id = $id",
	'a lost disk: recording says that it fails');
is(camera_state($node, 'always'), 'running', 'a lost disk: the camera runs');
chmod(0700, "$media/$day") or die;
wait_sql($node, "select failed_at is null from cctv.recording_status where camera_id = $id",
	'the disk is back: recording resumes by itself');

# The row of the file being written, once a part of it is complete: the next has begun.
sub begun_file
{
	my ($row) = recordings('always', "r.state = 'open'");
	my $bytes = $row && -e "$media/$row->{path}" ? slurp_file("$media/$row->{path}") : '';
	my $parts = () = $bytes =~ /moof/g;
	return $parts >= 2 ? $row : undef;
}

# The engine is killed: what it wrote plays, and rows are right in the end.
foreach my $round (1 .. 3)
{
	my ($open, @engines);
	ok(wait_until(sub { @engines = engine_pids($node); $open = begun_file(); return $open && @engines }, 60),
		"kill $round: a file is open");
	kill('KILL', @engines);
	wait_sql($node, "select state = 'complete' and sha256 is not null from cctv.recordings where path = '$open->{path}'",
		"kill $round: its row is settled");
	my ($row) = recordings('always', "r.path = '$open->{path}'");
	check_files("kill $round", $row);
	wait_running($node, 'always');
}

# No file without a row, no complete row without a file.
$node->safe_psql('postgres', "update cctv.cameras set record = 'off'");
my ($files, $known);
wait_until(
	sub {
		$files = join("\n", sort map { s{^\Q$media\E/}{}r } glob("$media/*/*/*.{mp4,tmp}"));
		$known = sql_value($node,
			"select string_agg(path, e'\\n' order by path collate \"C\") from cctv.recordings where kind = 'recording' and state = 'complete'");
		return $files eq $known && sql_value($node, "select count(*) from cctv.recordings where state = 'open'") eq '0';
	});
is($files, $known, 'off: every file has a row and every row its file, and nothing is half written');

finish();
