# Alerts and changes of state by logical replication: a second database has the
# same events with the same numbers.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;

my $publisher = cctv_node('publisher', conf => "wal_level = logical\nmax_wal_senders = 5\n");
my $subscriber = cctv_node('subscriber', databases => 'none');
foreach my $node ($publisher, $subscriber)
{
	$node->start;
	create_extension($node);
}
$publisher->safe_psql('postgres', <<'SQL');
create publication cctv_events for table cctv.alerts, cctv.camera_events;
insert into cctv.cameras (camera_id, name, url) values (-1, 'lobby', 'rtsp://192.0.2.7/1');
insert into cctv.alert_rules (name) values ('object');
create function see(seq integer, kind text, more jsonb) returns bigint language sql as $$
	select cctv.ingest(jsonb_build_array(jsonb_build_object('type', kind, 'camera_id', -1, 'session', md5('see'), 'seq', seq, 'at', now()) || more))
$$;
SQL

sub see
{
	my ($seq, $track) = @_;
	my $object = qq({"track": $track, "label": "person", "confidence": 0.9, "box": [0.1, 0.1, 0.1, 0.1], "stationary": false, "model": "objects"});
	$publisher->safe_psql('postgres', qq(select see($seq, 'objects', '{"objects": [$object]}')));
	return;
}

sub rows
{
	my ($node, $what) = @_;
	return sql_value($node, "select $what from cctv.alerts order by seq nulls first");
}

see(1, 1);
$subscriber->safe_psql('postgres',
	'create subscription cctv_events connection ' . "'" . ($publisher->connstr('postgres') =~ s/'/''/gr) . "' publication cctv_events");
wait_sql($subscriber, 'select count(*) = 1 from cctv.alerts', 'what was there before is copied');
see(2, 2);
see(3, 3);
$publisher->safe_psql('postgres', q(select see(4, 'track_end', '{"track": 2}'); select cctv.acknowledge(max(alert_id), 'seen') from cctv.alerts));
$publisher->safe_psql('postgres', q(select cctv.record_states(array[row(-1, 'error', 'gone', now())::cctv.state_change], false)));
wait_sql($subscriber, 'select count(*) = 1 from cctv.camera_events', 'what comes after arrives');
is(rows($subscriber, 'alert_id, seq, at, description, ended_at, note'), rows($publisher, 'alert_id, seq, at, description, ended_at, note'),
	'alerts are the same, also as they end and are acknowledged');
is(sql_value($subscriber, 'select seq, state, message from cctv.camera_events'), '4|error|gone', 'and so is what has become of the camera');
is(sql_value($subscriber, 'select count(*) from cctv.event_counter'), '0', 'the subscriber gives no numbers of its own');
is(rows($subscriber, 'seq'), "1\n2\n3", 'so a reader may go on there where it was');

$subscriber->safe_psql('postgres', 'drop subscription cctv_events');
finish();
