# An engine is killed at random moments while it records: every file that has one
# complete part plays, files without one are removed and that is logged, and no
# row is wrong once rows and files have been brought together.
#
#   CCTV_KILLS=100 scripts/check --only tap --tap t/062_recording_kills.pl
use strict;
use warnings;
use lib 't/lib';
use Digest::SHA;
use JSON::PP;
use Time::HiRes qw(time usleep);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

my $kills = $ENV{CCTV_KILLS} || 6;
my $seed = $ENV{CCTV_SEED} || int(time);
srand($seed);
note("CCTV_KILLS=$kills CCTV_SEED=$seed");

my $node = cctv_node('kills', conf => "cctv.segment_duration = '2s'\n");
$node->start;
create_extension($node);
my $media = kept_media($node);
my %videos = (h264 => 'vtest.mp4', bframes => 'bframes-aac.mp4', hevc => 'vtest-hevc.mp4', sound => 'sound-g711.mkv');
add_camera($node, $_, media($videos{$_}), record => 'continuous', loop => 'true', detect => 'false') foreach sort keys %videos;
wait_running($node, $_) foreach sort keys %videos;

sub ffprobe
{
	my ($path) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffprobe -v error -select_streams v -count_packets -show_entries stream=nb_read_packets -of csv=p=0), $path ],
		'<', \undef, '>', \$out, '2>', \$err);
	chomp $out;
	return ($out, $err);
}

# A moment that nobody chose: what a kill hits must differ from kill to kill, so
# this waits for a time and not for a condition.
my ($hit_open, $restarted) = (0, 0);
foreach my $round (1 .. $kills)
{
	my @engines;
	wait_until(sub { @engines = engine_pids($node) }) or last;
	usleep(1_000_000 * rand(4));
	@engines = engine_pids($node);
	next unless @engines;
	$hit_open++ if sql_value($node, "select count(*) from cctv.recordings where state = 'open'") > 0;
	kill('KILL', @engines);
	wait_until(sub { !grep { alive($_) } @engines });
	$restarted++;
	# After each the engine waits longer for its next start: begin anew.
	$node->restart if $round % 4 == 0;
}
is($restarted, $kills, "the engine was killed $kills times");
cmp_ok($hit_open, '>', 0, "$hit_open times while the database knew of an open file");

# All is well again, and rows and files come together.
wait_running($node, $_, within => 180) foreach sort keys %videos;
wait_sql($node, "select count(*) = (select count(*) from cctv.cameras) from cctv.recordings where state = 'open'", 'all are recorded again',
	within => 180);
wait_sql($node, "select count(*) = 0 from cctv.recordings where state = 'open' and created_at < now() - interval '30 s'",
	'every recording was closed, or mended by the next engine', within => 180);
$node->safe_psql('postgres', "update cctv.cameras set record = 'off'");
# Between two segments none is open either; while a camera records it begins one every two seconds.
wait_sql($node, "select count(*) filter (where state = 'open') = 0 and max(created_at) < now() - interval '5 s' from cctv.recordings",
	'none is open, and no more begin', within => 180);
$node->safe_psql('postgres', 'select cctv.maintain()');

my @rows = @{ JSON::PP->new->decode(
		sql_value($node, "select json_agg(r) from (select *, encode(sha256, 'hex') as sum from cctv.recordings where kind = 'recording') as r")) };
my %known = map { $_->{path} => $_ } @rows;
my @files = map { s{^\Q$media\E/}{}r } glob("$media/*/*/*");
is_deeply([ sort @files ], [ sort keys %known ], scalar(@files) . ' files, each with a row, and every row with its file');
my (@broken, @differ);
my ($frames, $measured) = (0, 0);
foreach my $path (sort @files)
{
	my ($count, $complaint) = ffprobe("$media/$path");
	push @broken, "$path: $complaint" if $complaint ne '' || !$count;
	my $row = $known{$path} || next;
	$frames += $count || 0;
	# Closed in order just when the worker ended: it could only be measured.
	$measured++ if !defined $row->{sum};
	push @differ, "$path: frames $row->{frames}, $count in the file" if defined $row->{frames} && $row->{frames} != ($count || 0);
	push @differ, "$path: $row->{state}" if $row->{state} ne 'complete';
	push @differ, "$path: bytes" if $row->{bytes} != -s "$media/$path";
	push @differ, "$path: checksum" if defined $row->{sum} && $row->{sum} ne Digest::SHA->new(256)->addfile("$media/$path", 'b')->hexdigest;
}
is_deeply(\@broken, [], 'every file plays without complaint');
is_deeply(\@differ, [], "every row is what its file is ($frames frames)");
# A file is read a little ahead of the clock that the next session begins by.
is(sql_value($node, "select coalesce(string_agg(a.path || ' ' || b.path || ' by ' || (a.ended_at - b.started_at), ', '), 'none') from cctv.recordings as a join cctv.recordings as b using (camera_id)"
	  . " where a.kind = 'recording' and b.kind = 'recording' and a.recording_id <> b.recording_id"
	  . " and a.started_at < b.started_at and a.ended_at > b.started_at + interval '1 s'"), 'none', 'no two cover the same time');
my $removed = () = log_since($node) =~ /is removed: no part of the recording is complete/g;
note("$removed files without a complete part were removed, which the log says; $measured rows know no checksum");
cmp_ok($measured, '<', @files / 4, 'nearly all rows know a checksum');

finish();
