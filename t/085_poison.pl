# A stream that crashes the decoder each time costs the other cameras of its
# engine a few seconds, once: then it crashes alone.  A real engine and a real
# stream; only the codec's bug is made (test/engine/poison.c).
use strict;
use warnings;
use lib 't/lib';
use File::Copy qw(copy);
use Test::More;
use CctvTest;
use CameraServers;

my $built = ($ENV{CCTV_TOP} || '.') . '/build/test/pg_cctv_engine';
plan skip_all => "$built is missing: make build/test/pg_cctv_engine" unless -x $built;

my $node = cctv_node('poison');
unlink engine_path($node);
copy($built, engine_path($node)) or die "copy $built: $!";
chmod(0755, engine_path($node));
$node->start;
create_extension($node);

my @innocent = qw(lobby yard gate);
foreach my $camera (@innocent)
{
	add_camera($node, $camera, rtsp_camera('vtest.mp4')->url);
}
wait_running($node, $_) foreach @innocent;

sub crashes { my $n = () = log_since($node) =~ /terminated by signal/g; return $n }

sub engine_of
{
	my ($camera) = @_;
	return sql_value($node,
		"select engine from cctv.camera_status join cctv.cameras using (camera_id) where name = '$camera'");
}

# Seconds that a camera was not running since then: the interruption ends when a
# frame has been decoded.
sub interrupted
{
	my ($camera, $since) = @_;
	return sql_value($node, <<"SQL");
select coalesce(sum(extract(epoch from until - at)), 0)
from (select e.state, e.at, lead(e.at) over (order by e.event_id) as until
      from cctv.camera_events e join cctv.cameras c using (camera_id) where c.name = '$camera' and e.at > '$since') as e
where state <> 'running' and until is not null
SQL
}

my @others = @innocent;
foreach my $word (qw(segv abort overflow))
{
	my $begin = sql_value($node, 'select clock_timestamp()');
	my $before = crashes();
	add_camera($node, $word, rtsp_camera(poisoned($word))->url);
	wait_sql($node,
		"select quarantined from cctv.camera_status join cctv.cameras using (camera_id) where name = '$word'",
		"$word: set apart");
	wait_running($node, $_) foreach @innocent;
	my $own = engine_of($word);
	is(sql_value($node, "select count(*) from cctv.camera_status where engine = $own"), '1', "$word: alone in its engine");

	# In company it crashed twice; from then on it crashes by itself.
	my $in_company = sql_value($node,
		"select count(*) from cctv.camera_events e join cctv.cameras c using (camera_id)"
		  . " where c.name = 'lobby' and e.state = 'reconnecting' and e.at > '$begin'");
	cmp_ok($in_company, '<=', 3, "$word: within three crashes ($in_company)");
	my $pid = wait_until(
		sub {
			my $pid = sql_value($node, 'select pid from cctv.engine_status where engine = ' . engine_of('lobby'));
			return $pid =~ /^\d+$/ && alive($pid) && $pid;
		}, 15);
	ok($pid, "$word: the others have an engine");
	my $crashes = crashes();
	ok(wait_until(sub { crashes() >= $crashes + 2 }, 60), "$word: crashes on") or show_cluster($node);
	ok(alive($pid), "$word: the engine of the others lives on");
	is(sql_value($node,
			"select count(*) from cctv.camera_events e join cctv.cameras c using (camera_id)"
			  . " where c.name = any ('{lobby,yard,gate}') and e.state = 'reconnecting' and e.at > '$begin'"),
		3 * $in_company, "$word: and they do not notice");
	foreach my $camera (@innocent)
	{
		my $gap = interrupted($camera, $begin);
		cmp_ok($gap, '<', 15, sprintf('%s: %s was interrupted for %.1f s in all', $word, $camera, $gap));
	}
	$node->safe_psql('postgres', "select cctv.stop('$word')");
}
like(log_since($node), qr/It was serving camera \d+\./, 'the log names the camera');

# Mended, it is a camera like any other.
my ($good) = rtsp_camera('vtest.mp4')->url;
$node->safe_psql('postgres', "update cctv.cameras set url = '$good' where name = 'segv'; select cctv.start('segv')");
wait_running($node, 'segv');
is(engine_of('segv'), engine_of('lobby'), 'mended and started anew, it is with the others again');

finish();
