# Zones from end to end: what is masked is not looked at, what is private is
# black in every picture, and a schedule's edge is not waited for.
use strict;
use warnings;
use lib 't/lib';
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

my $node = cctv_node('zones');
my $clips = $node->basedir;
$node->append_conf('postgresql.conf', "cctv.source_paths = '" . media_dir() . ",$clips'\n");
$node->start;
create_extension($node);

# The levels of grey of a JPEG, 8 across and 8 down, by ffmpeg.
sub levels
{
	my ($path) = @_;
	my $grey = `ffmpeg -nostdin -v error -i '$path' -vf scale=8:8:flags=area,format=gray -f rawvideo - 2>&1`;
	return unpack('C*', $grey);
}

sub write_picture
{
	my ($name, $sql) = @_;
	my $path = $node->basedir . "/$name.jpg";
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file pack('H*', sql_value($node, $sql) =~ s/^\\x//r);
	close $file;
	return $path;
}

# How many of the levels in these columns (0 to 7) are black, and how many not.
sub black
{
	my ($first, $last, @levels) = @_;
	return scalar grep { $levels[$_] < 24 && $_ % 8 >= $first && $_ % 8 <= $last } 0 .. $#levels;
}

#
# A mask over the left half, of a file that is played as fast as possible
#
my $video = media('vtest.mp4');
my $left = '{{0,0},{0.5,0},{0.5,1},{0,1}}';
my $play = 'file://' . $video;
$node->safe_psql('postgres', <<"SQL");
begin;
select cctv.add_camera('open', '$play');
select cctv.add_camera('masked', '$play');
update cctv.cameras set realtime = false, file_start = '2026-01-01 00:00:00Z', labels = '{person}';
select cctv.add_zone('masked', 'street', '$left', 'mask');
select cctv.start('open'), cctv.start('masked');
commit;
SQL
wait_state($node, 'open', 'finished', undef, within => 240);
wait_state($node, 'masked', 'finished', undef, within => 240);
my $feet = <<'SQL';
select count(*) filter (where d.x + d.w / 2 < 0.499), count(*) filter (where d.x + d.w / 2 > 0.5)
from cctv.detections as d join cctv.cameras as c using (camera_id) where c.name = '%s'
SQL
my ($open_left, $open_right) = split /\|/, sql_value($node, sprintf($feet, 'open'));
my ($masked_left, $masked_right) = split /\|/, sql_value($node, sprintf($feet, 'masked'));
cmp_ok($open_left, '>', 100, "without a mask $open_left people are seen on the left");
cmp_ok($open_right, '>', 100, "and $open_right on the right");
is($masked_left, 0, 'with one nobody is seen on the left');
cmp_ok($masked_right, '>', $open_right / 2, "and $masked_right still on the right");
is(sql_value($node, "select count(*) from cctv.tracks where model = 'scene'"), 0, 'nobody has tampered with them');

#
# A lens that is covered after twenty seconds, for fifteen
#
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-i', $video, '-t', 40, '-vf', "drawbox=c=black:t=fill:enable='between(t,20,35)'",
	'-c:v', 'libx264', '-preset', 'ultrafast', "$clips/covered.mp4" ]) or BAIL_OUT('ffmpeg cannot make a video');
$node->safe_psql('postgres', <<"SQL");
begin;
select cctv.add_camera('covered', 'file://$clips/covered.mp4');
update cctv.cameras set realtime = false, file_start = '2026-01-01 00:00:00Z' where name = 'covered';
select cctv.start('covered');
commit;
SQL
wait_state($node, 'covered', 'finished', undef, within => 240);
my $scene = <<'SQL';
select string_agg(format('%s %s to %s', t.label, to_char(t.first_seen at time zone 'UTC', 'SS.MS'),
	to_char(t.ended_at at time zone 'UTC', 'SS')), ', ')
from cctv.tracks as t join cctv.cameras as c using (camera_id) where c.name = 'covered' and t.model = 'scene'
SQL
like(sql_value($node, $scene), qr/^blocked 25\.\d+ to 3[4-7]$/, 'is one track, which ends');
my $alerts = <<'SQL';
select string_agg(concat_ws(' ', a.alert_type, a.severity, a.label, a.ended_at is not null), ', ')
from cctv.alerts as a join cctv.tracks as t using (track_id) where t.model = 'scene'
SQL
is(sql_value($node, $alerts), 'tamper critical blocked t', 'and one alert, by the rules that a camera begins with');

#
# What is private, in every picture, from the moment it is
#
add_camera($node, 'private', $play, loop => 't', labels => '{person}');
wait_running($node, 'private');
my @levels = levels(write_picture('before', "select cctv.live_frame('private', false)"));
is(scalar @levels, 64, 'a picture of the camera');
is(black(0, 7, @levels), 0, 'has nothing black in it');
$node->safe_psql('postgres', "select cctv.add_zone('private', 'neighbour', '$left', 'privacy')");
my $black = wait_until(sub { black(0, 3, levels(write_picture('after', "select cctv.live_frame('private', false)"))) == 32 }, 20);
ok($black, 'a privacy zone blacks out the live picture of a running camera');
foreach my $kind ('true', 'false, 200')
{
	@levels = levels(write_picture('kind', "select cctv.live_frame('private', $kind)"));
	cmp_ok(black(0, 3, @levels), '>=', 24, "$kind: it is black but for what is drawn there");
	is(black(5, 7, @levels), 0, "$kind: and nothing else is");
}
my $path = sql_value($node, "select cctv.take_snapshot('private')");
my $media = kept_media($node);
@levels = levels("$media/$path");
cmp_ok(black(0, 3, @levels), '>=', 24, "and in a snapshot ($path)");
is(black(5, 7, @levels), 0, 'of which the rest is seen');

# Pictures of tracks that began since are of the same cloth.
my $since = sql_value($node, 'select clock_timestamp()');
my $picture = <<"SQL";
select t.snapshot from cctv.tracks as t join cctv.cameras as c using (camera_id)
where c.name = 'private' and t.snapshot is not null and t.first_seen > '$since' limit 1
SQL
ok(wait_until(sub { ($path = sql_value($node, $picture)) =~ /\.jpg$/ && -s "$media/$path" }, 60), 'somebody is seen')
  or show_cluster($node);
cmp_ok(black(0, 3, levels("$media/$path")), '>=', 20, "the picture of a track ($path) hides it, too");

#
# Severities of notifications
#
is(sql_value($node, 'show cctv.notify_severity'), 'critical', 'critical alerts are notifications');
my ($stdout, $stderr);
$node->psql('postgres', "alter system set cctv.notify_severity = 'loud'", stderr => \$stderr);
like($stderr, qr/invalid value.*notify_severity.*HINT:.*info, warning, critical/s, 'another word is refused');
$node->safe_psql('postgres', "alter system set cctv.notify_severity = 'info'");
$node->reload;
wait_sql($node, "select current_setting('cctv.notify_severity') = 'info'", 'a reload changes it');

#
# The edges of a schedule.  The worker looks every ten seconds for changes that
# woke nobody: an edge is seen much sooner.
#
my $edges = <<'SQL';
begin;
select cctv.add_camera('night', '%s');
update cctv.cameras set loop = true, detect = false where name = 'night';
select cctv.schedule('night', 'run', 'daily', (t + interval '7 s')::time(0)::text, (t + interval '14 s')::time(0)::text, 'UTC')
from (select now() at time zone 'UTC' as t) as n;
select cctv.start('night');
commit;
SQL
$node->safe_psql('postgres', sprintf($edges, $play));
my $late = <<'SQL';
select extract(epoch from e.at - w.%1$s)
from cctv.camera_events as e
	join cctv.cameras as c using (camera_id)
	join cctv.schedules as s using (camera_id),
	generate_series(0, 1) as ago,
	cctv.schedule_window(s, 'UTC', (now() at time zone 'UTC')::date - ago) as w
where c.name = 'night' and w.%1$s <= e.at and e.state = '%2$s' order by w.%1$s desc limit 1
SQL
wait_state($node, 'night', 'running', 'a camera starts at the edge of its schedule', within => 20);
my $seconds = sql_value($node, sprintf($late, 'begins_at', 'starting'));
ok($seconds >= 0 && $seconds < 1.5, "within a second or so ($seconds s)");
wait_state($node, 'night', 'stopped', 'and stops at the next', within => 20);
$seconds = sql_value($node, sprintf($late, 'ends_at', 'stopped'));
ok($seconds >= 0 && $seconds < 1.5, "as soon ($seconds s)");
finish();
