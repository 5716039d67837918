# Nothing of a user's makes the worker, or a function of the extension, act for
# them: objects of the same names in public and pg_temp, triggers, operators,
# casts, a search_path.
use strict;
use warnings;
use lib 't/lib';
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

my $node = cctv_node('escalation', conf => "cctv.source_paths = '" . CctvTest::media_dir() . "'\n");
$node->start;
create_extension($node);
$node->safe_psql('postgres', <<'SQL');
create role mallory login in role cctv_operator;
create role chief login in role cctv_admin;
grant create, usage on schema public to mallory;
create table public.hijacked (who text, what text);
grant insert on public.hijacked to public;
SQL

# Objects that whoever does not qualify a name would take.
my %functions = (
	'now()' => 'timestamptz', 'clock_timestamp()' => 'timestamptz', 'jsonb_array_elements(jsonb)' => 'setof jsonb',
	'unnest(anyarray)' => 'setof anyelement', 'pg_has_role(name, text)' => 'boolean', 'pg_has_role(oid, oid, text)' => 'boolean',
	'cameras_of(oid, text)' => 'integer[]', 'my_cameras(text)' => 'setof integer', 'ingest(jsonb, boolean)' => 'bigint',
	'format(text, variadic text[])' => 'text', 'coalesce_(text)' => 'text', 'lower(text)' => 'text', 'only_worker()' => 'void',
	'camera_id(text)' => 'integer', 'pg_notify(text, text)' => 'void', 'count(integer)' => 'bigint', 'to_regclass(text)' => 'regclass');
foreach my $schema ('public', 'pg_temp')
{
	my $sql = '';
	while (my ($signature, $type) = each %functions)
	{
		$sql .= "create function $schema.$signature returns $type language plpgsql as \$\$ begin insert into public.hijacked values (current_user, '$signature'); return" . ($type =~ /^(void|setof .*)$/ ? '' : ' null') . "; end \$\$;\n";
	}
	foreach my $operator (qw(= <> < > ~ || ->>))
	{
		my $name = { '=' => 'eq', '<>' => 'ne', '<' => 'lt', '>' => 'gt', '~' => 're', '||' => 'cat', '->>' => 'get' }->{$operator};
		$sql .= "create function $schema.evil_$name(text, text) returns text language plpgsql as \$\$ begin insert into public.hijacked values (current_user, '$operator'); return null; end \$\$;\n"
		  . "create operator $schema.$operator (leftarg = text, rightarg = text, function = $schema.evil_$name);\n";
	}
	$sql .= "create table $schema.$_ (camera_id integer, camera_name text, name text, url text, session uuid, at timestamptz);\n" foreach qw(cameras camera_secrets alerts detections sessions camera_grants pg_roles pg_class);
	# Also with the session's own path, and with that of the role and the database.
	$node->safe_psql('postgres', "set role mallory;\n$sql\nset search_path = pg_temp, public, cctv, pg_catalog;
select cctv.add_camera('$schema', 'rtsp://192.0.2.1/'), cctv.add_zone('$schema', 'zone', '{{0,0},{1,0},{1,1}}'), cctv.add_rule('rule', '$schema', zone => 'zone');
select count(*) from cctv.v_alerts; select cctv.health(); select cctv.metrics(); select cctv.create_consumer('$schema'), cctv.consume('$schema');
select cctv.grant_camera('$schema', 'chief'); select cctv.set_credentials('$schema', 'a', 'b'); select * from cctv.backtest(1, '2026-01-01', '2026-01-02');
select cctv.schedule('$schema', 'run', 'daily', '08:00', '18:00'), cctv.next_change('$schema');
update cctv.cameras set url = 'rtsp://a:b\@192.0.2.3/' where cameras.camera_id > 0; delete from cctv.zones where zone_id > 0 and false;");
}
# What mallory's own session has looked up by itself counts for nothing.
is($node->safe_psql('postgres', "select string_agg(distinct who, ' ') from public.hijacked where who <> 'mallory'"), '', 'nobody but mallory has run them');
$node->safe_psql('postgres', 'truncate public.hijacked');

# The worker meets them, with the worst search_path that a superuser could set.
$node->safe_psql('postgres', "alter role cctv_worker set search_path = public, pg_catalog");
$node->restart;
add_camera($node, 'walk', media('vtest.mp4'), realtime => 'off');
wait_sql($node, "select count(*) > 0 from cctv.alerts as a join cctv.cameras as c using (camera_id) where c.name = 'walk'", 'the worker works');
$node->safe_psql('postgres', 'set search_path = pg_catalog; select cctv.maintain()');
is($node->safe_psql('postgres', "set search_path = pg_catalog; select string_agg(distinct who || ': ' || what, ', ') from public.hijacked where who = 'cctv_worker'"), '', 'the worker has run none of them');
is(sql_value($node, "set role chief; set search_path = public, pg_temp, cctv, pg_catalog; select cctv.add_camera('chiefs', 'rtsp://192.0.2.7/') > 0") =~ /t$/ ? 1 : 0, 1, 'an administrator works among them');
is($node->safe_psql('postgres', "set search_path = pg_catalog; select string_agg(distinct what, ', ') from public.hijacked where who = 'chief'"), '', 'and runs none of them');

# Triggers: nobody may add one to a table of the extension, and the extension's
# own refuse to serve another's table, even when granted.
sub refused
{
	my ($role, $sql, $like, $test) = @_;
	my ($stdout, $stderr);
	isnt($node->psql('postgres', "set search_path = pg_catalog; set session authorization $role;\n$sql", stdout => \$stdout, stderr => \$stderr, on_error_stop => 1), 0, $test);
	like($stderr, $like, "$test: why");
	return;
}
$node->safe_psql('postgres', "set role mallory; create function public.evil() returns trigger language plpgsql as \$\$ begin insert into public.hijacked values (current_user, 'trigger'); return new; end \$\$");
refused($_, 'create trigger evil before insert on cctv.alerts for each row execute function public.evil()', qr/permission denied/, "$_ adds no trigger") foreach qw(mallory chief);
refused($_, 'create table pg_temp.t (c integer references cctv.cameras)', qr/permission denied|may reference only temporary/, "$_ adds no foreign key") foreach qw(mallory chief);
refused('chief', 'create rule evil as on insert to cctv.cameras do instead nothing', qr/must be owner/, 'nor a rule');
refused('chief', 'create policy evil on cctv.cameras using (true)', qr/must be owner/, 'nor a policy');
refused('chief', 'create table cctv.evil (x integer)', qr/permission denied for schema/, 'nor a table');
refused('chief', 'alter view cctv.v_alerts set (security_invoker = false)', qr/must be owner/, 'nor changes a view');
refused('chief', 'set role cctv_worker', qr/permission denied to set role/, 'nor becomes the worker');
refused('mallory', 'set role cctv_admin', qr/permission denied to set role/, 'nor an administrator');
refused('mallory', 'set session_replication_role = replica', qr/permission denied/, 'nor switches triggers off');
refused('mallory', 'set row_security = off; select * from cctv.cameras', qr/would be affected by row-level security/, 'nor row security');

$node->safe_psql('postgres', 'grant execute on all functions in schema cctv to mallory; grant select, insert, update, delete, trigger on all tables in schema cctv to mallory');
foreach my $function (split /\n/, $node->safe_psql('postgres', "set search_path = pg_catalog; select p.oid::regprocedure from pg_proc as p where p.pronamespace = 'cctv'::regnamespace and p.prosecdef and p.prorettype <> 'trigger'::regtype and p.proname <> 'rolled_up'"))
{
	my $call = $function =~ s/\((.*)\)/'(' . join(', ', map { "null::$_" } split(m{,}, $1)) . ')'/er;
	refused('mallory', "select $call", qr/only the worker of pg_cctv may do this/, "$function refuses whoever it was granted to");
}
foreach my $function (split /\n/, $node->safe_psql('postgres', "select p.proname from pg_proc as p where p.pronamespace = 'cctv'::regnamespace and p.prosecdef and p.prorettype = 'trigger'::regtype"))
{
	refused('mallory', "create temp table t (camera_id integer, url text, detect_url text, publish_url text, removed_at timestamptz, alert_id bigint, event_id bigint);
create trigger t after insert on t for each row execute function cctv.$function(); insert into t values (1, 'rtsp://a:b\@192.0.2.66/', 'rtsp://a:b\@192.0.2.66/')", qr/is not for table|pg_temp/, "$function refuses another's table");
}
is(sql_value($node, 'set search_path = pg_catalog; set role mallory; select count(*) from cctv.camera_secrets') =~ /(\d+)$/ ? $1 : '', '0', 'granted by mistake, the passwords still do not show');

# A trigger that a superuser allowed and that refuses rows stops nothing else.
$node->safe_psql('postgres', <<'SQL');
set search_path = pg_catalog;
revoke all on all tables in schema cctv from mallory;
create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'not today' using errcode = 'object_not_in_prerequisite_state'; end $$;
create trigger refuse before insert on cctv.alerts for each row execute function public.refuse();
SQL
my $offset = -s $node->logfile;
add_camera($node, 'again', media('vtest.mp4'), realtime => 'off');
ok(wait_until(sub { log_since($node, $offset) =~ /not today/ }), 'a trigger refuses alerts, and the log tells');
wait_sql($node, "select s.analysed > 20 from cctv.camera_status as s join cctv.cameras as c using (camera_id) where c.name = 'again'", 'it does not stall the ingest');
is(sql_value($node, "select count(*) from cctv.alerts as a join cctv.cameras as c using (camera_id) where c.name = 'again'"), '0', 'which is all that is missing');
cmp_ok(sql_value($node, "select count(*) from cctv.camera_events as e join cctv.cameras as c using (camera_id) where c.name = 'again'"), '>=', 2, 'states were stored');

finish();
