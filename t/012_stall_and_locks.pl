# A user locks the tables that the worker writes to.  The worker waits without
# dying, and nothing is lost but what the bounds of the queues say.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('locks');
$node->start;
create_extension($node);

sub rows
{
	my ($camera) = @_;
	return sql_value(
		$node,
		"select count(*) || ' ' || md5(string_agg(concat_ws(',', d.at, t.engine_track, d.label, d.confidence, d.x, d.y, d.w, d.h), ';'"
		  . " order by d.at, t.engine_track)) from cctv.detections d join cctv.cameras c using (camera_id)"
		  . " join cctv.tracks t using (track_id) where c.name = '$camera'");
}

my %file = (realtime => 'false', loop => 'false', file_start => '2024-05-01 12:00:00+00');

# What a file gives when nobody is in the way.
add_camera($node, 'free', media('vtest.mp4'), %file);
wait_state($node, 'free', 'finished', 'a file without locks', within => 180);

# The same with alerts, tracks and the status locked in the middle: a file is
# never sampled more thinly, so the same rows must come.
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart();
my $worker = worker_pid($node);
add_camera($node, 'locked', media('vtest.mp4'), %file);
wait_sql($node,
	"select count(*) >= 20 from cctv.detections d join cctv.cameras c using (camera_id) where c.name = 'locked'",
	'the same file has begun');
foreach my $table (qw(cctv.alerts cctv.tracks cctv.camera_status))
{
	$session->query_safe("begin; lock table $table in access exclusive mode;");
	my $waited = wait_until(
		sub { sql_value($node, "select exists (select from pg_locks where not granted and pid = $worker)") eq 't' }, 15);
	ok($waited, "$table: the worker meets the lock") or show_cluster($node);
	$session->query_safe('commit');
}
wait_state($node, 'locked', 'finished', 'the file ends', within => 180);
is(rows('locked'), rows('free'), 'nothing is lost');
is(worker_pid($node), $worker, 'the worker has lived through it');

# A live camera behind a lock for longer than its frames could be kept: the
# stream stays up, and afterwards everything goes on.
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'live', $server->url);
wait_running($node, 'live');
wait_sql($node, "select count(*) > 0 from cctv.alerts join cctv.cameras using (camera_id) where name = 'live'", 'live alerts');
my ($engine) = engine_pids($node);
$session->query_safe('begin; lock table cctv.cameras, cctv.alerts, cctv.detections in access exclusive mode;');
my $offset = -s $node->logfile;
ok(wait_until(sub { log_since($node, $offset) =~ /lock timeout/ }, 60), 'locked: the worker gives way to the lock')
  or show_cluster($node);
# Longer than the stream may be without a frame.
wait_sql($node,
	"select clock_timestamp() > (select min(xact_start) from pg_stat_activity where state = 'idle in transaction') + interval '12 seconds'",
	'locked for longer than cctv.stall_timeout');
is(worker_pid($node), $worker, 'locked: the worker lives');
is(join(' ', engine_pids($node)), $engine, 'locked: the engine lives');
$session->query_safe('commit');
my $after = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select bool_and(last_frame_at > '$after') from cctv.camera_status join cctv.cameras using (camera_id) where name = 'live'",
	'unlocked: frames again', within => 15);
wait_sql($node, "select count(*) > 0 from cctv.detections d join cctv.cameras c using (camera_id) where c.name = 'live' and d.at > '$after'",
	'unlocked: detections again');
is(sql_value($node,
		"select count(*) from cctv.camera_events e join cctv.cameras c using (camera_id) where c.name = 'live' and e.state = 'reconnecting'"),
	'0', 'the stream stayed up all the while');
is(sql_value($node,
		"select count(*) > 0 from cctv.detections d join cctv.cameras c using (camera_id) where c.name = 'live'"
		  . " and d.at between '$after'::timestamptz - interval '10 seconds' and '$after'"),
	't', 'what was seen behind the lock got in');

# A user's own trigger that fails for one alert costs that alert, not the rest.
$node->safe_psql('postgres', <<'SQL');
create function refuse() returns trigger language plpgsql as
  $$ begin if new.alert_id % 2 = 0 then raise check_violation using message = 'not this one'; end if; return new; end $$;
create trigger refuse before insert on cctv.alerts for each row execute function refuse();
SQL
my $last = sql_value($node, 'select max(alert_id) from cctv.alerts');
wait_sql($node, "select count(*) >= 2 from cctv.alerts where alert_id > $last and alert_id % 2 = 1", 'a failing trigger stops nothing else', within => 120);
is(sql_value($node, "select count(*) from cctv.alerts where alert_id > $last and alert_id % 2 = 0"), '0', 'and is obeyed');
like(log_since($node), qr/not this one/, 'the log tells of it');

$session->quit;
finish();
