# A disk that is full, or that the server may no longer write to: recording stops
# and says so, everything else goes on, and recording resumes by itself.  The disk
# is a small tmpfs, in a namespace of this test's own.
use strict;
use warnings;
use lib 't/lib';
use Test::More;

my $disk = $ENV{CCTV_TEST_DISK};

BEGIN
{
	# Everything below runs once more, as the same user, where the disk is mounted.
	unless ($ENV{CCTV_TEST_DISK})
	{
		require File::Temp;
		plan(skip_all => 'needs user namespaces') if system("unshare -Urm true 2>/dev/null") != 0;
		my $directory = File::Temp::tempdir('cctv_disk_XXXX', TMPDIR => 1);
		local $ENV{CCTV_TEST_DISK} = $directory;
		my $status = system('unshare', '-Urm', 'sh', '-c',
			'mount -t tmpfs -o size=24m,mode=0777 none "$0" && uid=$1 gid=$2 && shift 2 && exec unshare -U --map-user=$uid --map-group=$gid "$@"',
			$directory, $>, $) + 0, $^X, $0);
		rmdir($directory);
		exit($status == 0 ? 0 : $status >> 8 || 1);
	}
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use CctvTest;

my $node = cctv_node('disk', databases => 'postgres, second', conf => <<"CONF");
cctv.media_dir = '$disk/media'
cctv.media_min_free = 0
cctv.segment_duration = '2s'
CONF
$node->start;
create_extension($node);
my $media = kept_media($node);
is($media, "$disk/media/postgres", 'the database has a directory of its own');

sub room { return int((split ' ', (split /\n/, `df -k --output=avail $disk`)[1])[0]) }

# Take all room but so many kilobytes.
sub fill
{
	my ($left) = @_;
	open(my $file, '>>:raw', "$disk/filler") or die;
	$file->autoflush;
	while ((my $take = room() - $left) > 0) { syswrite($file, "\0" x (1024 * ($take > 256 ? 256 : $take))) or last; }
	close($file);
	return;
}

sub failing { return "select failed_at is not null from cctv.recording_status where camera_id = 1" }
sub recorded_again { return "select failed_at is null from cctv.recording_status where camera_id = 1" }
sub detections { return sql_value($node, 'select count(*) from cctv.detections') }

add_camera($node, 'lobby', media('vtest.mp4'), record => 'continuous', loop => 'true');
wait_sql($node, "select count(*) >= 2 from cctv.recordings where kind = 'recording' and state = 'complete'", 'it is recorded');
wait_sql($node, 'select count(*) > 0 from cctv.detections', 'persons are seen');

#
# Really full
#
fill(0);
cmp_ok(room(), '<', 8, 'the disk is full');
wait_sql($node, failing(), 'full: recording says that it fails');
is(sql_value($node, "select count(*) || severity from cctv.alerts where alert_type = 'recording_failed' and description ~ 'No space left on device' group by severity"),
	'1critical', 'full: one alert, with the reason');
is(sql_value($node, "select count(*) from cctv.notifications where topic = 'recording_failed' and kind = 'error'"), '1', 'full: and one notification');
is(sql_value($node, "select count(*) > 0 from cctv.health() where not ok and message ~ 'No space left'"), 't', 'full: health says so')
  or diag(sql_value($node, 'select * from cctv.health()'));
is(camera_state($node, 'lobby'), 'running', 'full: the camera runs');
my $seen = detections();
wait_sql($node, "select count(*) > $seen from cctv.detections", 'full: detection goes on');
is(sql_value($node, 'create table t (x integer); insert into t values (1); checkpoint; select x from t'), "1", 'full: the database is untouched');
my ($out, $err) = ('', '');
$node->psql('postgres', "select cctv.export_clip('lobby', (select min(started_at) from cctv.recordings), now())", stdout => \$out, stderr => \$err);
like($err, qr/could not be (?:written|completed): No space left on device.*HINT:  The recordings are as they were/s, 'full: no clip, and why');
is_deeply([ glob("$media/*/*/*.tmp") ], [], 'full: nothing of it is left');
unlink("$disk/filler") or die;
wait_sql($node, recorded_again(), 'room again: recording resumes by itself');
is(sql_value($node, "select string_agg(topic || ' ' || kind, ', ' order by notification_id) from cctv.notifications where topic ~ '^recording_'"),
	'recording_started info, recording_failed error, recording_started success', 'room again: people are told');
is(sql_value($node, "select count(*) from cctv.alerts where alert_type = 'recording_failed'"), '1', 'still one alert');
is(sql_value($node, "select coalesce(string_agg(path || ' ' || cctv.verify(recording_id), ', '), 'all') from cctv.recordings where state = 'complete' and cctv.verify(recording_id) <> 'ok'"),
	'all', 'what was written when the disk became full is whole');

#
# Room by retention: the oldest go, and when nothing is left people hear of it.
#
wait_sql($node, "select count(*) >= 4 from cctv.recordings where kind = 'recording' and state = 'complete'", 'recorded again');
my $oldest = sql_value($node, "select path from cctv.recordings where kind = 'recording' order by started_at limit 1");
fill(4096);
$node->append_conf('postgresql.conf', "cctv.media_min_free = 25\n");
$node->reload;
wait_sql($node, "select setting = '25' from pg_settings where name = 'cctv.media_min_free'", 'a quarter is to be free');
$node->safe_psql('postgres', 'select cctv.maintain()');
is(sql_value($node, "select why from cctv.media_deletions where path = '$oldest'"), 'min_free', 'short of room: the oldest one goes');
$node->safe_psql('postgres', 'select cctv.maintain()');
ok(wait_until(sub { !-e "$media/$oldest" }), 'and its file');
ok(wait_until(sub {
		$node->safe_psql('postgres', 'update cctv.recordings set protected = true where not protected; select cctv.maintain()');
		return sql_value($node, "select count(*) from cctv.notifications where topic = 'low_disk'") eq '1'; }),
	'nothing left to delete: a notification');
is(sql_value($node, "select count(*) from cctv.media_deletions where path in (select path from cctv.recordings where protected)"), '0',
	'what is protected stays');
$node->safe_psql('postgres', 'update cctv.recordings set protected = false');
unlink("$disk/filler");
$node->append_conf('postgresql.conf', "cctv.media_min_free = 0\n");
$node->reload;

#
# The permission is lost, here and there
#
foreach my $place ('the camera\'s directory', 'the media directory')
{
	my $path = $place =~ /camera/ ? "$media/1" : $media;
	chmod(0, $path) or die;
	wait_sql($node, failing(), "$place: closed: recording says that it fails");
	is(camera_state($node, 'lobby'), 'running', "$place: closed: the camera runs");
	$seen = detections();
	wait_sql($node, "select count(*) > $seen from cctv.detections", "$place: closed: detection goes on");
	like(sql_value($node, "select description from cctv.alerts where alert_type = 'recording_failed' order by alert_id desc limit 1"),
		qr/Permission denied/, "$place: closed: the alert says why");
	# Files out of reach are not lost.
	$node->safe_psql('postgres', 'select cctv.maintain()');
	is(sql_value($node, "select count(*) from cctv.recordings where state = 'missing'"), '0', "$place: closed: nothing is taken for missing");
	chmod(0700, $path) or die;
	wait_sql($node, recorded_again(), "$place: open again: recording resumes by itself");
}

# Another directory takes its place, as when a disk is mounted anew.
rename($media, "$media.away") or die;
wait_sql($node, failing(), 'the directory has gone: recording says that it fails');
mkdir($media, 0700) or die;
wait_sql($node, recorded_again(), 'there is another one: recording resumes by itself');
like(log_since($node), qr/the media directory was replaced: the engine ends|this kernel has no Landlock/,
	'with another engine, which may write there');
rename($media, "$media.new") && rename("$media.away", $media) or die;
wait_sql($node, "select count(*) > 0 from cctv.recordings as r where r.state = 'open' and (cctv.media_stat(r.path)).bytes > 0",
	'the first one is back: recording goes on there');

#
# Two databases, the same camera number
#
$node->safe_psql('postgres', 'create database second');
create_extension($node, 'second');
add_camera($node, 'yard', media('vtest.mp4'), database => 'second', record => 'continuous', loop => 'true', detect => 'false');
wait_sql($node, "select count(*) > 0 from cctv.recordings where kind = 'recording' and state = 'complete'", 'another database records',
	database => 'second');
my $other = kept_media($node, 'second');
is($other, "$disk/media/second", 'in a directory of its own');
my $path = sql_value($node, "select path from cctv.recordings where kind = 'recording' and state = 'complete' limit 1", 'second');
like($path, qr{^1/}, 'of a camera with the same number');
ok(-s "$other/$path" && !-e "$media/$path", 'where no other database has it');

finish();
