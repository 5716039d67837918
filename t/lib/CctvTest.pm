# What the TAP tests share: a cluster with pg_cctv preloaded, waiting on
# conditions, the processes of a cluster, alerts as a LISTENer hears them.
#
# Nothing here sleeps for a fixed time: wait_until() polls a condition and a
# test passes as soon as it holds.
package CctvTest;

use strict;
use warnings;

use Exporter 'import';
use File::Copy qw(copy);
use JSON::PP ();
use Time::HiRes qw(time usleep);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  cctv_node cctv_standby configure_engine create_extension add_camera camera_state wait_state wait_running
  wait_until wait_sql sql_value frames_now
  engine_pids engine_path worker_pid launcher_pid backend_pids alive state_of
  listener heard log_since media media_dir kept_media jpeg_size catalog_of rows_of
  show_cluster finish slurp_file
);

# How long something may take before it counts as not happening.  Generous: a
# machine may be busy; what must be quick is measured and compared.
our $patience = $ENV{CCTV_TEST_PATIENCE} || 60;

my @nodes;
my $top = $ENV{CCTV_TOP} || '.';

# The directory of the test videos, and one of them by name.
sub media_dir { return $ENV{CCTV_MEDIA} || "$top/build/media"; }

sub media
{
	my ($name) = @_;
	my $path = media_dir() . "/$name";
	BAIL_OUT("$path is missing: scripts/setup makes it") unless -r $path;
	return $path;
}

# Where a database keeps its recordings and pictures.
sub kept_media
{
	my ($node, $database) = @_;
	return sql_value($node, 'select cctv.media_directory()', $database);
}

#
# Clusters
#

# The engine binary of this cluster: a copy of its own, so that its processes
# can be told from those of another test.
sub engine_path
{
	my ($node) = @_;
	return $node->basedir . '/pg_cctv_engine';
}

# cctv_node(NAME, %options): an initialised cluster, not started.
#   preload => 0       without shared_preload_libraries
#   databases => '...' cctv.databases (default postgres)
#   streaming => 1     as a primary for a standby
#   conf => '...'      more lines for postgresql.conf
#   install => '...'   the installation to run, else that of PG_CONFIG
sub cctv_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, $options{install} ? (install_path => $options{install}) : ());
	my $bindir = $node->config_data('--bindir');
	my $databases = $options{databases} // 'postgres';

	$node->init($options{streaming} ? (allows_streaming => 1) : ());
	configure_engine($node);
	$node->append_conf('postgresql.conf', "log_statement = none\nautovacuum = off\n");
	if ($options{preload} // 1)
	{
		my $engine = engine_path($node);
		$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_cctv'
cctv.databases = '$databases'
cctv.source_paths = '@{[ media_dir() ]}'
cctv.engine_path = '$engine'
CONF
	}
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->append_conf('postgresql.conf', $ENV{CCTV_TEST_CONF}) if $ENV{CCTV_TEST_CONF};
	push @nodes, $node;
	return $node;
}

# A standby of a node, by a base backup of it: not started.
sub cctv_standby
{
	my ($primary, $name, $backup) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($primary, $backup, has_streaming => 1);
	configure_engine($node);
	$node->append_conf('postgresql.conf', "cctv.engine_path = '" . engine_path($node) . "'\n");
	push @nodes, $node;
	return $node;
}

# Give the cluster a copy of the installed engine.
sub configure_engine
{
	my ($node) = @_;
	my $installed = $node->config_data('--bindir') . '/pg_cctv_engine';
	copy($installed, engine_path($node)) or die "copy $installed: $!";
	chmod(0755, engine_path($node));
	return;
}

sub create_extension
{
	my ($node, $database) = @_;
	$node->safe_psql($database // 'postgres', 'create extension pg_cctv');
	return;
}

# add_camera(NODE, NAME, URL, %columns): add it, set columns, start it.
#   database => '...', start => 0 to leave it stopped
sub add_camera
{
	my ($node, $name, $url, %columns) = @_;
	my $database = delete $columns{database} // 'postgres';
	my $start = delete $columns{start} // 1;
	my $sql = 'select cctv.add_camera(' . quote($name) . ', ' . quote($url) . ");\n";
	if (%columns)
	{
		my $set = join(', ', map { "$_ = " . quote($columns{$_}) } sort keys %columns);
		$sql .= "update cctv.cameras set $set where name = " . quote($name) . ";\n";
	}
	$sql .= 'select cctv.start(' . quote($name) . ");\n" if $start;
	$node->safe_psql($database, "begin;\n${sql}commit;");
	return;
}

sub quote
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

#
# Waiting
#

# wait_until(SUB, SECONDS): call SUB every 50 ms until it returns something
# true; return that, or undef when the time is over.
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time + ($seconds // $patience);
	while (1)
	{
		my $value = $condition->();
		return $value if $value;
		return if time > $end;
		usleep(50_000);
	}
}

# wait_sql(NODE, QUERY, TEST, %options): pass when the query gives 't'.
#   within => SECONDS, database => '...'
# Returns the seconds it took.
sub wait_sql
{
	my ($node, $query, $test, %options) = @_;
	my $database = $options{database} // 'postgres';
	my $within = $options{within} // $patience;
	my $begin = time;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $value = '';
	my $got = wait_until(
		sub { $value = sql_value($node, $query, $database); return $value eq 't' }, $within);
	my $took = time - $begin;
	ok($got, sprintf('%s (%.1f s)', $test, $took))
	  or do { diag("after $within s, $query gave: $value"); show_cluster($node, $database) };
	return $took;
}

# One value; a message when the query fails (the server may be going down).
sub sql_value
{
	my ($node, $query, $database) = @_;
	my ($stdout, $stderr) = ('', '');
	# A psql that is refused may have ended before the query is written to it.
	eval { $node->psql($database // 'postgres', $query, stdout => \$stdout, stderr => \$stderr); 1 }
	  or do { die $@ if $@ !~ /Broken pipe/; $stderr ||= 'psql has ended' };
	return $stderr ne '' && $stdout eq '' ? "error: $stderr" : $stdout;
}

sub camera_state
{
	my ($node, $camera, $database) = @_;
	return sql_value($node,
		'select s.state from cctv.camera_status s join cctv.cameras c using (camera_id)'
		  . ' where c.name = '
		  . quote($camera), $database);
}

# Pass when the camera is in one of the states (a regular expression).
sub wait_state
{
	my ($node, $camera, $state, $test, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_sql(
		$node,
		"select coalesce(bool_or(s.state ~ '^($state)\$'), false)"
		  . ' from cctv.camera_status s join cctv.cameras c using (camera_id) where c.name = '
		  . quote($camera),
		$test // "$camera is $state",
		%options);
}

sub wait_running
{
	my ($node, $camera, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_state($node, $camera, 'running', undef, %options);
}

# The time of the camera's newest frame, as the database knows it.
sub frames_now
{
	my ($node, $camera, $database) = @_;
	return sql_value($node,
		'select s.last_frame_at from cctv.camera_status s join cctv.cameras c using (camera_id)'
		  . ' where c.name = '
		  . quote($camera), $database);
}

#
# Processes
#

# State letter of a process ("R", "S", "Z" ...), or undef when there is none.
sub state_of
{
	my ($pid) = @_;
	open(my $stat, '<', "/proc/$pid/stat") or return;
	my $line = <$stat> // return;
	return $line =~ /\) (\S)/ ? $1 : undef;
}

sub alive
{
	my ($pid) = @_;
	my $state = state_of($pid);
	return defined $state && $state ne 'Z';
}

# Engines of this cluster, found in /proc and not in what the database says: by
# their executable or, for a script, by their command line.
sub engine_pids
{
	my ($node) = @_;
	my $path = engine_path($node);
	my @pids;
	foreach my $directory (glob('/proc/[0-9]*'))
	{
		my ($pid) = $directory =~ /(\d+)$/;
		my $program = readlink("$directory/exe") // next;
		$program .= ' ' . (eval { slurp_file("$directory/cmdline") } // '') if $program =~ /perl/;
		push @pids, $pid if index($program, $path) >= 0 && alive($pid);
	}
	@pids = sort { $a <=> $b } @pids;
	return @pids;
}

sub backend_pids
{
	my ($node, $like, $database) = @_;
	my $where = defined $database ? ' and datname = ' . quote($database) : '';
	return split /\n/,
	  sql_value($node,
		"select pid from pg_stat_activity where backend_type like '$like'$where order by pid");
}

sub worker_pid
{
	my ($node, $database) = @_;
	my ($pid) = backend_pids($node, 'pg_cctv worker%', $database // 'postgres');
	return $pid && $pid =~ /^\d+$/ ? $pid : undef;
}

sub launcher_pid
{
	my ($node) = @_;
	my ($pid) = backend_pids($node, 'pg_cctv launcher%');
	return $pid && $pid =~ /^\d+$/ ? $pid : undef;
}

#
# Notifications
#

# A session that LISTENs on channels.
sub listener
{
	my ($node, $database, @channels) = @_;
	my $session = $node->background_psql($database, on_error_stop => 0);
	$session->set_query_timer_restart();
	$session->query("listen $_") foreach @channels;
	return $session;
}

# What the session has heard since it was asked last: a list of
# {channel, payload (decoded), pid}.  psql reports notifications after a query.
sub heard
{
	my ($session) = @_;
	my $output = $session->query('select 1');
	my @heard;
	while ($output =~
		/^Asynchronous notification "([^"]+)" with payload "(.*)" received from server process with PID (\d+)\.$/mg)
	{
		my ($channel, $payload, $pid) = ($1, $2, $3);
		push @heard, { channel => $channel, payload => eval { JSON::PP->new->utf8->decode($payload) }, pid => $pid };
	}
	return @heard;
}

#
# Looking at things
#

sub log_since
{
	my ($node, $offset) = @_;
	return slurp_file($node->logfile, $offset // 0);
}

# (width, height) of a JPEG file, by its frame header; empty when it is none.
sub jpeg_size
{
	my ($path) = @_;
	open(my $file, '<:raw', $path) or return;
	local $/;
	my $bytes = <$file>;
	return unless substr($bytes, 0, 3) eq "\xff\xd8\xff" && $bytes =~ /\xff\xd9\z/;
	my $at = 2;
	while ($at + 9 < length $bytes)
	{
		my ($mark, $code, $length) = unpack('CCn', substr($bytes, $at, 4));
		return unless $mark == 0xff;
		if ($code >= 0xc0 && $code <= 0xc3)
		{
			my ($height, $width) = unpack('nn', substr($bytes, $at + 5, 4));
			return ($width, $height);
		}
		$at += 2 + $length;
	}
	return;
}

# The facts of the schema cctv in a database, as a list (catalog.sql).
sub catalog_of
{
	my ($node, $database) = @_;
	return [ split /\n/, $node->safe_psql($database, slurp_file("$top/t/lib/catalog.sql")) ];
}

# Number and digest of the rows of each table of the schema, by table.
sub rows_of
{
	my ($node, $database) = @_;
	my @tables = split /\n/, $node->safe_psql($database,
		"select c.oid::regclass from pg_class as c where relnamespace = 'cctv'::regnamespace and relkind in ('r', 'p')");
	return { map {
			$_ => $node->safe_psql($database,
				"select count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') from $_ as t")
		} @tables };
}

# What a person would want to see when a test has failed.
sub show_cluster
{
	my ($node, $database) = @_;
	diag('engines: ' . (join(' ', engine_pids($node)) || 'none'));
	diag(sql_value($node,
			"select coalesce(string_agg(to_jsonb(s)::text, e'\\n'), 'no camera_status')"
			  . ' from cctv.camera_status s', $database));
	foreach my $table (qw(camera_events sessions engine_status))
	{
		diag("$table: " . sql_value($node,
				"select coalesce(string_agg(to_jsonb(s)::text, e'\\n'), 'none') from (select * from cctv.$table limit 40) s", $database));
	}
	diag(sql_value($node,
			"select coalesce(string_agg(pid || ' ' || backend_type || ' ' || coalesce(state, '-') || ' '"
			  . " || coalesce(wait_event, '-') || ' ' || left(query, 80), e'\\n'), '')"
			  . ' from pg_stat_activity', $database));
	my @lines = eval { split /\n/, slurp_file($node->logfile) };
	diag(join("\n", @lines > 30 ? @lines[ -30 .. -1 ] : @lines));
	return;
}

# For scripts/coverage: which SQL functions were called, in every database.
sub write_calls
{
	my ($node) = @_;
	my $query = slurp_file("$top/test/coverage/calls.sql");
	foreach my $database (split /\n/, sql_value($node, 'select datname from pg_database where datallowconn'))
	{
		my $calls = sql_value($node, "\\pset fieldsep '\\t'\n$query", $database);
		next if $calls !~ /\t/;
		open(my $file, '>', "$ENV{CCTV_TEST_CALLS}/" . $node->name . "-$database") or next;
		print $file "$calls\n";
		close $file;
	}
	return;
}

# Stop the clusters, and see that no engine outlives one.
sub finish
{
	foreach my $node (@nodes)
	{
		write_calls($node) if $ENV{CCTV_TEST_CALLS};
		$node->stop('fast', fail_ok => 1);
		my $gone = wait_until(sub { !engine_pids($node) }, 10);
		ok($gone, 'no engine outlives ' . $node->name)
		  or diag('engines: ' . join(' ', engine_pids($node)));
	}
	done_testing();
	return;
}

# A test that died must leave nothing behind either.
END
{
	my $status = $?;
	foreach my $node (@nodes)
	{
		my @left = engine_pids($node);
		kill('KILL', @left) if @left && !-e $node->data_dir . '/postmaster.pid';
	}
	$? = $status;
}

1;
