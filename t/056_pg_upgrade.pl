# pg_upgrade, between clusters of one major version: cameras, passwords, policy and
# history come along, and cameras run again.
use strict;
use warnings;
use lib 't/lib';
use Cwd qw(getcwd);
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $old = cctv_node('old');
$old->start;
create_extension($old);
my $server = rtsp_camera('vtest.mp4', user => 'viewer', password => 'Sesam77');
add_camera($old, 'lobby', $server->url =~ s{//}{//viewer:Sesam77\@}r);
$old->safe_psql('postgres', <<'SQL');
create role guard login;
grant cctv_viewer to guard;
select cctv.grant_camera('lobby', 'guard', 'view');
select cctv.add_zone('lobby', 'door', '{{0.1,0.1},{0.9,0.1},{0.5,0.9}}');
select cctv.add_rule('at the door', 'lobby', zone => 'door');
SQL
wait_running($old, 'lobby');
wait_sql($old, 'select count(*) > 0 from cctv.alerts', 'alerts');
$old->safe_psql('postgres', "alter system set cctv.databases = ''; select pg_reload_conf()");
ok(wait_until(sub { !worker_pid($old) }), 'the worker ends');
my $rows = rows_of($old, 'postgres');
my $catalog = catalog_of($old, 'postgres');
$old->stop;

# The new cluster is preloaded and names the database: nothing may run meanwhile.
my $new = cctv_node('new');
my $bindir = $new->config_data('--bindir');
my $here = getcwd();
my $directory = $new->basedir . '/upgrade';
mkdir $directory;
chdir $directory or die "$directory: $!";
command_ok([ "$bindir/pg_upgrade", '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
chdir $here;
unlike(slurp_file($_), qr/pg_cctv (worker|started engine)/, "no worker ran: $_")
  foreach glob($new->data_dir . '/pg_upgrade_output.d/*/log/*server.log');

$new->append_conf('postgresql.conf', "cctv.databases = ''\n");
$new->start;
my $after = rows_of($new, 'postgres');
foreach my $table (sort keys %$rows)
{
	is($after->{$table}, $rows->{$table}, $table);
}
is_deeply(catalog_of($new, 'postgres'), $catalog, 'the same catalog, rights too');
is(sql_value($new, "set role guard; select string_agg(name, ' ') from cctv.cameras"), 'lobby', 'a viewer sees what was granted');
$new->safe_psql('postgres', "alter system set cctv.databases = 'postgres'; select pg_reload_conf()");
my $tracks = sql_value($new, 'select max(track_id) from cctv.tracks');
wait_running($new, 'lobby');
wait_sql($new, "select count(*) > 0 from cctv.detections where track_id > $tracks", 'new detections join the old');

finish();
