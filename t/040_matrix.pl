# Who may do what: every table, view and function of the extension against the
# tables of docs/security.md, as every kind of role.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;

my $top = $ENV{CCTV_TOP} || '.';
my $doc = slurp_file("$top/docs/security.md");
my $node = cctv_node('matrix');
$node->append_conf('postgresql.conf', "cctv.databases = ''\n");
$node->start;
create_extension($node);

# The tables of the page.
my (%tables, %functions);
my ($matrix) = $doc =~ /^## The matrix\n(.*?)^## /ms or BAIL_OUT('docs/security.md has no matrix');
foreach my $line (split /\n/, $matrix)
{
	my @cells = map { s/^\s+|\s+$//gr } split /\|/, $line =~ s/^\|//r;
	next if $line !~ /^\|/ || $cells[0] =~ /^(-+|table|least role)$/;
	if (@cells == 5) { @{ $tables{ $cells[0] } }{qw(select insert update delete)} = @cells[ 1 .. 4 ]; next; }
	my ($role) = $cells[0] =~ /^(\w+)/;
	$functions{$_} = $role foreach $cells[1] =~ /`(\w+)`/g;
}

# Nothing is missing from them, and nothing in them from the extension.
my @relations = split /\n/, $node->safe_psql('postgres',
	"select relname from pg_class where relnamespace = 'cctv'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition order by 1");
same(\%tables, \@relations, 'table and view');
my @names = split /\n/, $node->safe_psql('postgres', "select distinct proname from pg_proc where pronamespace = 'cctv'::regnamespace order by 1");
same(\%functions, \@names, 'function');

# The matrix names each of them, and nothing else.
sub same
{
	my ($named, $there, $what) = @_;
	my %there = map { $_ => 1 } @$there;
	is(join(' ', grep { !$named->{$_} } sort keys %there), '', "every $what is in the matrix of docs/security.md");
	is(join(' ', grep { !$there{$_} } sort keys %$named), '', "every $what in it exists");
	return;
}

# Functions, by the privilege to execute them.  Each role includes those before it.
my %least = (cctv_viewer => 1, cctv_operator => 2, cctv_admin => 3, cctv_worker => 4, trigger => 4);
my @wrong;
foreach my $row (split /\n/, $node->safe_psql('postgres', <<'SQL'))
select p.proname, p.oid::regprocedure, has_function_privilege('cctv_viewer', p.oid, 'execute'),
	has_function_privilege('cctv_operator', p.oid, 'execute'), has_function_privilege('cctv_admin', p.oid, 'execute'),
	coalesce(bool_or(a.grantee = 0), p.proacl is null), p.prorettype = 'trigger'::regtype
from pg_proc as p left join aclexplode(p.proacl) as a on true
where p.pronamespace = 'cctv'::regnamespace
group by p.oid
SQL
{
	my ($name, $signature, $viewer, $operator, $admin, $public, $trigger) = split /\|/, $row;
	my $rank = $viewer eq 't' ? 1 : $operator eq 't' ? 2 : $admin eq 't' ? 3 : 4;
	push @wrong, $signature
	  if $public eq 't' || $rank != ($least{ $functions{$name} // '' } // 0) || ($trigger eq 't') != (($functions{$name} // '') eq 'trigger');
}
is("@wrong", '', 'functions are open to the roles that the matrix names, and to no other');

# Definers pin their path, belong to the worker, and ask who calls.
is($node->safe_psql('postgres', <<'SQL'), '', 'SECURITY DEFINER functions pin search_path, are no superuser\'s and check their caller');
select p.oid::regprocedure from pg_proc as p
where p.pronamespace = 'cctv'::regnamespace and p.prosecdef
	and ('search_path=pg_catalog, pg_temp' <> all (coalesce(p.proconfig, '{}'))
		or 'row_security=on' <> all (p.proconfig)
		or p.proowner <> 'cctv_worker'::regrole
		or (p.prosrc !~ 'perform cctv\.only_on\(tg_relid' and p.prosrc !~ '^\s*(#variable_conflict \w+\s+)?(declare\s.*)?(begin\s+perform|select) cctv\.only_worker\(\);'
			and p.proname not in ('rolled_up')))
SQL
is($node->safe_psql('postgres', <<'SQL'), '', 'every other function pins it too');
select p.oid::regprocedure from pg_proc as p
where p.pronamespace = 'cctv'::regnamespace and p.prokind <> 'a' and 'search_path=pg_catalog, pg_temp' <> all (coalesce(p.proconfig, '{}'))
SQL

# Nobody owns a thing, or has a privilege, that the matrix does not tell of.
is($node->safe_psql('postgres', <<'SQL'), '', 'TRIGGER, REFERENCES, TRUNCATE and sequences are nobody\'s');
select c.oid::regclass, r.rolname, p
from pg_class as c, pg_roles as r, unnest('{trigger,references,truncate}'::text[]) as p
where c.relnamespace = 'cctv'::regnamespace and c.relkind in ('r', 'p', 'v') and r.rolname like 'cctv\_%' and r.oid <> c.relowner
	and has_table_privilege(r.oid, c.oid, p)
union all
select c.oid::regclass, r.rolname, 'sequence'
from pg_class as c, pg_roles as r
where c.relnamespace = 'cctv'::regnamespace and c.relkind = 'S' and r.rolname like 'cctv\_%' and r.oid <> c.relowner
	and has_sequence_privilege(r.oid, c.oid, 'usage, select, update')
SQL
is($node->safe_psql('postgres', "select string_agg(rolname, ' ' order by 1) from pg_roles where has_schema_privilege(oid, 'cctv', 'create') and not rolsuper"),
	'cctv_worker', 'only the worker creates in the schema');
is($node->safe_psql('postgres', <<'SQL'), '', 'every table that is about a camera has row security');
select c.oid::regclass from pg_class as c
where c.relnamespace = 'cctv'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity
	and c.relname not in ('models', 'event_counter', 'media_status')
SQL

# Rows.  Camera 1 is the tenant's, 2 somebody else's; each kind of role tries
# each verb on the row of camera 1, and none may see that of camera 2.
$node->safe_psql('postgres', <<'SQL');
create role tenant in role cctv_operator;
create role other in role cctv_operator;
create role stranger;
create role outsider in role cctv_operator;
create role guest in role cctv_viewer;
create role watcher in role cctv_operator;
create role guard in role cctv_operator;
create role chief in role cctv_admin;
insert into cctv.cameras (camera_id, name, url, owner, location) values (1, 'one', 'rtsp://u:p@192.0.2.1/', 'tenant', 'here'), (2, 'two', 'rtsp://u:p@192.0.2.2/', 'other', 'there');
alter table cctv.cameras alter column camera_id restart with 100;
insert into cctv.publish_secrets select camera_id, authority, username, password from cctv.camera_secrets;
select cctv.grant_camera(1, 'guest'), cctv.grant_camera(1, 'watcher'), cctv.grant_camera(1, 'guard', 'operate'), cctv.grant_camera(2, 'other');
insert into cctv.zones (zone_id, camera_id, name, points) select c, c, 'zone', '{{0,0},{1,0},{1,1}}' from generate_series(1, 2) as c;
insert into cctv.alert_rules (rule_id, camera_id, name) select c, c, 'rule' from generate_series(1, 2) as c;
insert into cctv.schedules (schedule_id, camera_id, action, starts, ends) select c, c, 'run', '08:00', '18:00' from generate_series(1, 2) as c;
insert into cctv.camera_status (camera_id, engine) select c, c from generate_series(1, 2) as c;
insert into cctv.engine_status (engine) values (1), (2);
insert into cctv.camera_events (camera_id, at, state, previous) select c, now(), 'running', 'starting' from generate_series(1, 2) as c;
insert into cctv.sessions (session, camera_id) select md5(c::text)::uuid, c from generate_series(1, 2) as c;
insert into cctv.tracks (track_id, camera_id, session, engine_track, label, model, first_seen, last_seen, hits, best_confidence, best_at, best_x, best_y, best_w, best_h)
	select c, c, md5(c::text)::uuid, 1, 'person', 'objects', now(), now(), 1, 0.9, now(), 0, 0, 1, 1 from generate_series(1, 2) as c;
select cctv.maintain();
insert into cctv.detections select now(), c, c, 0.9, 0, 0, 1, 1, false, 'person', 'objects' from generate_series(1, 2) as c;
insert into cctv.alerts (alert_id, camera_id, track_id, rule_id, alert_type, description, at) select c, c, c, c, 'person', 'person', now() from generate_series(1, 2) as c;
insert into cctv.alert_zones select c, c from generate_series(1, 2) as c;
insert into cctv.alerts_hourly values (date_trunc('hour', now()), 1, 'person', 'warning', 'person', 1, 1), (date_trunc('hour', now()), 2, 'person', 'warning', 'person', 1, 1);
insert into cctv.recordings (recording_id, camera_id, kind, state, path, started_at, ended_at, bytes) select c, c, 'snapshot', 'complete', c || '/1.jpg', now(), now(), 1 from generate_series(1, 2) as c;
insert into cctv.recording_status (camera_id, run) select c, 1 from generate_series(1, 2) as c;
insert into cctv.media_deletions (recording_id, camera_id, kind, path, started_at, why, deleted_by) select -c, c, 'snapshot', c || '/2.jpg', now(), 'age', 'cctv_worker' from generate_series(1, 2) as c;
insert into cctv.media_status (one) values (true) on conflict do nothing;
insert into cctv.notifications (notification_id, kind, topic, camera_id, message) select c + 1000, 'info', 'test', c, 'x' from generate_series(1, 2) as c;
insert into cctv.rule_state (track_id, rule_id, done) select c, c, false from generate_series(1, 2) as c;
insert into cctv.crowd_state (rule_id, camera_id, members) select c, c, '{}' from generate_series(1, 2) as c;
insert into cctv.rule_cooldown select r.* from generate_series(1, 2) as c, jsonb_populate_record(null::cctv.rule_cooldown, jsonb_build_object('rule_id', c, 'camera_id', c, 'label', 'person', 'last_at', now(), 'seen_at', now())) as r;
insert into cctv.rule_window select r.* from generate_series(1, 2) as c, jsonb_populate_record(null::cctv.rule_window, jsonb_build_object('rule_id', c, 'camera_id', c, 'version', 'x', 'begins_at', now(), 'ends_at', now(), 'is_on', true)) as r;
SQL
is($node->safe_psql('postgres', 'select count(*) from cctv.event_counter'), '1', 'there are events');

my @people = qw(stranger outsider guest watcher guard tenant chief);
my %rank = (stranger => -1, outsider => 0, guest => 1, watcher => 1, guard => 2, tenant => 3, chief => 4);
my %viewers = map { $_ => 1 } @people[ 1 .. 6 ];

# Should the cell be open to them?
sub open_to
{
	my ($who, $cell) = @_;
	return $who eq 'chief' if $cell eq 'admin';
	return $viewers{$who} ? 1 : 0 if $cell =~ /^(viewer|own)$/;
	return $rank{$who} >= 1 if $cell eq 'view';
	return $rank{$who} >= 2 if $cell eq 'operate';
	return $rank{$who} >= 3 if $cell eq 'manage';
	return $viewers{$who} && $who ne 'guest' if $cell eq 'own network cameras (operator)';
	return 0 if $cell =~ /^(worker|-|own exports)$/; # there are none here: t/060_export.pl has some
	die "docs/security.md: unknown cell \"$cell\"";
}

# How to find the row of a camera, where camera_id does not; what to change; what to add.
my %key = (
	models => "name = 'mine'",
	zones => 'zone_id = %d',
	alert_rules => 'rule_id = %d',
	alert_zones => 'zone_id = %d',
	consumers => "consumer = current_user || '%d'",
	notification_reads => "role = quote_ident(current_user)::regrole and notification_id = 1000 + %d",
	engine_status => 'engine = %d',
	rule_state => 'rule_id = %d',
	event_counter => 'true',
	media_status => 'true',
	status => "camera = case %d when 1 then 'one' else 'two' end",
	storage => "camera = case %d when 1 then 'one' else 'two' end",
	v_consumers => "consumer = current_user || '%d'",
	stat_progress_export => 'camera_id = %d');
my %change = (
	cameras => 'enabled = enabled',
	models => 'licence = licence',
	zones => 'name = name',
	alert_rules => 'name = name',
	schedules => 'enabled = enabled',
	camera_grants => 'privilege = privilege',
	consumers => 'position = position',
	alerts => "note = 'seen'",
	recordings => 'protected = protected');
my %add = (
	cameras => "(name, url) values ('three', 'rtsp://192.0.2.3/')",
	models => "(name, kind, input_width, input_height, labels) values ('yours', 'hog', 768, 576, '{person}')",
	zones => "(camera_id, name, points) values (1, 'another', '{{0,0},{1,0},{1,1}}')",
	alert_rules => "(camera_id, name) values (1, 'another')",
	schedules => "(camera_id, action, starts, ends) values (1, 'detect', '08:00', '18:00')",
	camera_grants => "(camera_id, role) values (1, 'stranger')",
	consumers => "(consumer, position) values (current_user || '3', 0)",
	notification_reads => "(role, notification_id) values (quote_ident(current_user)::regrole, 1001)");
# One verb on one row: how many rows it met, or that it was refused.  A view that
# nobody can change is as closed as one that they may not.
my $attempt = <<'SQL';
savepoint attempt;
do $$
declare
	n bigint;
begin
	%2$s;
	get diagnostics n = row_count;
	raise warning '%1$s met %% rows', n;
exception
	when insufficient_privilege then
		raise warning '%1$s met 0 rows';
	when object_not_in_prerequisite_state then
		if sqlerrm !~ '^cannot (insert into|update|delete from) view' then
			raise;
		end if;
		raise warning '%1$s met 0 rows';
end
$$;
rollback to attempt;
SQL

my $tried = 0;
foreach my $table (sort keys %tables)
{
	my $find = $key{$table} // 'camera_id = %d';
	my ($first, $second) = map { $find =~ s/%d/$_/gr } 1, 2;
	my $column = column($table);
	my $change = $change{$table} // "$column = $column";
	my %statement = (
		select => "perform from cctv.$table where $first",
		insert => "insert into cctv.$table " . ($add{$table} // 'default values'),
		update => "update cctv.$table set $change where $first",
		delete => "delete from cctv.$table where $first",
		# The row of another tenant.
		leak => "perform from cctv.$table where $second");
	foreach my $who (@people)
	{
		# What is one's own is there before, and foreign keys keep no row.
		my $script = <<"SQL";
begin;
insert into cctv.models (name, kind, input_width, input_height, labels) values ('mine', 'hog', 768, 576, '{person}');
insert into cctv.consumers (consumer, position, owner) values ('${who}1', 0, '$who'), ('${who}2', 0, 'other');
insert into cctv.notification_reads (role, notification_id) values ('$who', 1001), ('other', 1002);
SQL
		foreach my $verb (qw(select insert update delete leak))
		{
			$script .= 'set local session_replication_role = ' . ($verb eq 'delete' ? 'replica' : 'origin') . ";\n";
			$script .= "delete from cctv.notification_reads where role = '$who'::regrole;\n" if $verb eq 'insert';
			$script .= "set local role $who;\n" . sprintf($attempt, $verb, $statement{$verb}) . "reset role;\n";
			$script .= "insert into cctv.notification_reads (role, notification_id) values ('$who', 1001);\n" if $verb eq 'insert';
		}
		my ($stdout, $stderr);
		my $status = $node->psql('postgres', $script . 'rollback;', stdout => \$stdout, stderr => \$stderr, on_error_stop => 1);
		my %met = $stderr =~ /(\w+) met (\d+) rows/g;
		is("$status " . keys %met, '0 5', "$who could try everything with $table") or diag($stderr);
		foreach my $verb (qw(select insert update delete))
		{
			my $cell = $tables{$table}{$verb};
			$tried++;
			is($met{$verb} > 0 ? 'open' : 'closed', open_to($who, $cell) ? 'open' : 'closed', "$who, $verb on $table: the matrix says \"$cell\"");
		}
		next if $who eq 'chief' || $tables{$table}{select} eq 'viewer';
		$tried++;
		is($met{leak}, 0, "$who sees nothing of another's in $table");
	}
}
cmp_ok($tried, '>', 1000, "$tried cells were tried");

# A column of a table, for an UPDATE that changes nothing.
sub column
{
	my ($table) = @_;
	return sql_value($node, "select quote_ident(attname) from pg_attribute where attrelid = 'cctv.$table'::regclass and attnum > 0 and attgenerated = '' and attidentity = '' order by attnum desc limit 1");
}

finish();
