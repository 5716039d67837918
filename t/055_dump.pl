# pg_dump and restore of a database with cameras, rules, zones, schedules, grants
# and history: the same rows, the same rights, and cameras that run again.
use strict;
use warnings;
use lib 't/lib';
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('dump');
# A quarter of a minute of pedestrians.
my $clips = $node->basedir . '/clips';
mkdir $clips;
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-i', media('vtest.mp4'), '-t', 15, '-c', 'copy', "$clips/walk.mp4" ])
  or BAIL_OUT('ffmpeg cannot cut a clip');
$node->append_conf('postgresql.conf', "cctv.source_paths = '$clips'\n");
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4', user => 'viewer', password => 'Sesam77');
my $url = $server->url =~ s{//}{//viewer:Sesam77\@}r;

# Two cameras, one of them long finished; policy; people; history of every sort.
$node->safe_psql('postgres', <<"SQL");
create role guard login;
grant cctv_viewer to guard;
select cctv.add_camera('yesterday', '$clips/walk.mp4', realtime => false, file_start => now() - interval '1 day');
select cctv.add_camera('lobby', '$url');
update cctv.cameras set record = 'continuous', retention = '100 days' where name = 'lobby';
select cctv.add_zone('lobby', 'door', '{{0.1,0.1},{0.9,0.1},{0.5,0.9}}');
select cctv.add_zone('yesterday', 'fence', '{{0.5,0},{0.5,1}}', 'line', 'any');
select cctv.add_rule('at the door', 'lobby', 'loitering', zone => 'door', min_dwell => '1 s');
select cctv.add_rule('over the fence', 'yesterday', 'line_crossing', line => 'fence');
select cctv.add_rule('anybody', severity => 'critical', cooldown => '10 s');
select cctv.schedule('lobby', 'record', 'daily', '00:00', '24:00', 'Europe/Berlin');
select cctv.schedule('yesterday', 'run', 'daily', to_char(t - interval '6 hours', '"0 "HH24" * * *"'),
	to_char(t + interval '6 hours', '"0 "HH24" * * *"'), 'UTC') from (select now() at time zone 'UTC') as n (t);
select cctv.grant_camera('lobby', 'guard', 'view');
select cctv.create_consumer('pager');
select cctv.start('yesterday'), cctv.start('lobby');
SQL
wait_state($node, 'yesterday', 'finished', undef, within => 240);
wait_running($node, 'lobby');
wait_sql($node, "select count(*) > 0 from cctv.alerts where camera_id = cctv.camera_id('lobby')", 'alerts of the lobby');
wait_sql($node, "select count(*) > 0 from cctv.recordings", 'a recording of it');
$node->safe_psql('postgres', "select cctv.acknowledge((select min(alert_id) from cctv.alerts), 'seen')");

# Nothing may change between the dump and the comparison: stop the cameras by
# taking the database out of the list, and wait for the worker to end.
$node->safe_psql('postgres', "alter system set cctv.databases = ''; select pg_reload_conf()");
ok(wait_until(sub { !worker_pid($node) }), 'the worker ends');

my $bindir = $node->config_data('--bindir');
my $dump = $node->basedir . '/dump';
my @connect = ('-h', $node->host, '-p', $node->port);
command_ok([ "$bindir/pg_dump", @connect, '-Fc', '-f', "$dump.custom", 'postgres' ], 'pg_dump, custom');
command_ok([ "$bindir/pg_dump", @connect, '-f', "$dump.sql", 'postgres' ], 'pg_dump, plain');
unlike(slurp_file("$dump.sql"), qr/Sesam77/, 'no password in it');

$node->safe_psql('postgres', 'create database custom template template0');
$node->safe_psql('postgres', 'create database plain template template0');
command_ok([ "$bindir/pg_restore", @connect, '-d', 'custom', '--exit-on-error', "$dump.custom" ], 'pg_restore');
command_ok([ "$bindir/psql", @connect, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'plain', '-f', "$dump.sql" ], 'psql');


# What only a running engine could say, and what is secret, is not part of a dump.
my %left_out = map { ("cctv.$_" => 1) } qw(camera_secrets publish_secrets engine_status recording_status media_status);
my $before = rows_of($node, 'postgres');
cmp_ok($before->{"cctv.$_"}, 'ne', '0 ', "there are $_") foreach qw(cameras zones alert_rules schedules camera_grants tracks detections
	alerts recordings notifications camera_events sessions consumers camera_secrets);
foreach my $database (qw(custom plain))
{
	my $after = rows_of($node, $database);
	foreach my $table (sort keys %$before)
	{
		is($after->{$table}, $left_out{$table} ? '0 ' : $before->{$table}, "$database: $table");
	}
	is_deeply([ sort keys %$after ], [ sort keys %$before ], "$database: the same tables, partitions too");
	is_deeply(catalog_of($node, $database), catalog_of($node, 'postgres'), "$database: the same catalog, rights too");
	is(sql_value($node, "select string_agg(name, ' ') from cctv.cameras", $database) =~ tr/ //, 1, "$database: both cameras");
}

# Passwords are taken along by hand, as docs/upgrade.md says.
$node->safe_psql('postgres', "copy cctv.camera_secrets to '$dump.secrets'");
$node->safe_psql('plain', "copy cctv.camera_secrets from '$dump.secrets'");
is(rows_of($node, 'plain')->{'cctv.camera_secrets'}, $before->{'cctv.camera_secrets'}, 'passwords, asked for');

#
# Life goes on in the restored database
#
$node->safe_psql('postgres', "alter system set cctv.databases = 'custom'; select pg_reload_conf()");
wait_sql($node, "select s.state = 'error' and s.message ~ '401' from cctv.camera_status as s where s.camera_id = cctv.camera_id('lobby')",
	'the camera asks for its password, which was in no dump', database => 'custom');
$node->safe_psql('custom', "update cctv.cameras set url = '$url' where name = 'lobby'");
wait_running($node, 'lobby', database => 'custom');
my $tracks = sql_value($node, 'select max(track_id) from cctv.tracks', 'custom');
wait_sql($node, "select count(*) > 0 from cctv.detections where track_id > $tracks", 'new detections join the old', database => 'custom');
wait_sql($node, "select count(*) > 0 from cctv.alerts where camera_id = cctv.camera_id('lobby') and track_id > $tracks", 'and alerts', database => 'custom');
is(camera_state($node, 'yesterday', 'custom'), 'finished', 'a file that was finished is not analysed again');
is(sql_value($node, "select count(distinct session) from cctv.tracks where camera_id = cctv.camera_id('yesterday')", 'custom'), '1', 'not once more');
wait_sql($node, "select count(*) >= 7 from cctv.partitions() where day > (now() at time zone 'UTC')::date", 'partitions are made ahead', database => 'custom');
cmp_ok(sql_value($node, "select count(*) from cctv.consume('pager', 1000)", 'custom'), '>', 0, 'a consumer goes on where it was');
is(sql_value($node, "set role guard; select string_agg(name, ' ') from cctv.cameras", 'custom'), 'lobby', 'a viewer sees what was granted');
$node->safe_psql('custom', "select cctv.add_camera('new', '/srv/new.mp4')");
is(sql_value($node, "select count(*) from cctv.cameras", 'custom'), '3', 'keys go on behind those of the dump');
is(sql_value($node, "select count(*) from pg_depend where deptype = 'e' and objid in (select partition from cctv.partitions())", 'custom'),
	'0', 'partitions are no members of the extension');
my ($stdout, $stderr) = ('', '');
is($node->psql('plain', 'drop extension pg_cctv', stdout => \$stdout, stderr => \$stderr), 0, 'and go with it') or diag($stderr);

#
# Another server: roles first
#
my $other = cctv_node('other', databases => '');
$other->start;
my ($roles) = run_command([ "$bindir/pg_dumpall", @connect, '--roles-only', '--no-role-passwords' ]);
$other->psql('postgres', $roles, on_error_stop => 0);
$other->safe_psql('postgres', 'create database moved template template0');
command_ok([ "$bindir/pg_restore", '-h', $other->host, '-p', $other->port, '-d', 'moved', '--exit-on-error', "$dump.custom" ],
	'pg_restore on another server');
is_deeply(catalog_of($other, 'moved'), catalog_of($node, 'custom'), 'the same catalog');
is(rows_of($other, 'moved')->{'cctv.detections'}, $before->{'cctv.detections'}, 'the same detections');

finish();
