# Somebody removes a rule in the middle of a transaction of the worker that was
# about to follow it: what was seen is stored all the same.  When the two wait for
# each other it is the worker that gives way.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;

my $node = cctv_node('rule_removed');
$node->start;
create_extension($node);
my %file = (realtime => 'false', loop => 'false', file_start => '2024-05-01 12:00:00+00');

sub rows
{
	my ($camera) = @_;
	return sql_value(
		$node,
		"select count(*) || ' ' || md5(string_agg(concat_ws(',', d.at, t.engine_track, d.label, d.confidence, d.x, d.y, d.w, d.h), ';'"
		  . " order by d.at, t.engine_track)) from cctv.detections d join cctv.cameras c using (camera_id)"
		  . " join cctv.tracks t using (track_id) where c.name = '$camera'");
}

add_camera($node, 'free', media('vtest.mp4'), %file);
wait_state($node, 'free', 'finished', 'a file without anybody in the way', within => 180);

my $worker = worker_pid($node);
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart();
add_camera($node, 'busy', media('vtest.mp4'), %file);
my $removed = 0;
foreach my $round (1 .. 3)
{
	$node->safe_psql('postgres',
		"insert into cctv.alert_rules (name, labels, min_dwell) values ('short-lived $round', '{person}', '1 s')");
	wait_sql($node,
		"select count(*) > 0 from cctv.rule_state join cctv.alert_rules using (rule_id) where name = 'short-lived $round'",
		"rule $round is followed");
	$session->query_safe("begin; delete from cctv.alert_rules where name = 'short-lived $round';");
	$removed += wait_until(
		sub { sql_value($node, "select exists (select from pg_locks where not granted and pid = $worker)") eq 't' }, 20) ? 1 : 0;
	$session->query_safe('commit');
}
cmp_ok($removed, '>=', 1, "the worker met $removed removals");
wait_state($node, 'busy', 'finished', 'the file ends', within => 180);
is(rows('busy'), rows('free'), 'nothing is lost');
unlike(log_since($node), qr/could not store/, 'and nothing was refused');

# The worker waits for alerts, with what it remembers of the rule locked; the
# removal has the rule, and waits for both.
my $deadlocks = 'select deadlocks from pg_stat_database where datname = current_database()';
my $before = sql_value($node, $deadlocks);
my $from = -s $node->logfile;
add_camera($node, 'deadly', media('vtest.mp4'), loop => 'true');
$node->safe_psql('postgres', "delete from cctv.alert_rules where camera_id = cctv.camera_id('deadly')");
foreach my $round (1 .. 10)
{
	$node->safe_psql('postgres',
		"insert into cctv.alert_rules (name, camera_id, labels, min_dwell)"
		  . " values ('deadly', cctv.camera_id('deadly'), '{person}', '1 s')");
	$session->query_safe('begin; lock table cctv.alerts in share mode;');
	wait_sql($node, "select exists (select from pg_locks where not granted and pid = $worker)",
		"round $round: the worker waits to raise an alert");
	my $remover = $node->background_psql('postgres');
	$remover->query_until(qr/removing/, "\\echo removing\ndelete from cctv.alert_rules where name = 'deadly';\n");
	wait_sql($node, "select count(*) = 2 from pg_locks where not granted", "round $round: and who removes the rule");
	$session->query_safe('commit');
	ok($remover->query_safe('select 1'), "round $round: the rule is removed");
	$remover->quit;
	last if wait_until(sub { sql_value($node, $deadlocks) > $before }, 3);
}
cmp_ok(sql_value($node, $deadlocks), '>', $before, 'they have met in a deadlock');
my $mark = sql_value($node, 'select clock_timestamp()');
wait_sql($node, "select count(*) > 0 from cctv.detections join cctv.cameras c using (camera_id) where c.name = 'deadly' and at > '$mark'",
	'and the worker goes on');
unlike(log_since($node, $from), qr/deadlock/, 'without a word');

$session->quit;
finish();
