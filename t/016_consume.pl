# Nobody who reads the sequence of events misses one: with many writers that
# commit and roll back, long transactions beside them, readers of every kind,
# and a server that is stopped in the middle as if the power had failed.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use IPC::Run ();
use PostgreSQL::Test::Utils qw(slurp_file);

my $top = $ENV{CCTV_TOP} || '.';
my $node = cctv_node('consume', conf => "max_connections = 50\n");
$node->start;
create_extension($node);
$node->safe_psql('postgres', <<'SQL');
select cctv.add_camera('camera ' || n, 'rtsp://192.0.2.7/' || n) from generate_series(1, 4) as n;
select cctv.create_consumer(c, 0) from unnest('{python,shared}'::text[]) as c;
create table seen (n bigserial, reader text, seq bigint, primary key (reader, seq));
create function raise_some(camera integer, count integer) returns void language sql as $$
	insert into cctv.alerts (camera_id, alert_type, label, description, at)
	select camera, 'person', 'person', 'person', clock_timestamp() from generate_series(1, count)
$$;
-- What a writer does: now an alert, now three, now a change of state, now nothing after all.
create procedure write_events(writer integer, rounds integer) language plpgsql as $$
begin
	for i in 1 .. rounds loop
		perform raise_some(writer, 1 + 2 * (i % 5 / 4));
		if i % 3 = 0 then
			insert into cctv.camera_events (camera_id, at, state, previous) values (writer, clock_timestamp(), 'running', 'starting');
		end if;
		perform pg_notify('cctv_alert', '{}');
		if i % 7 = 0 then
			rollback;
		else
			commit;
		end if;
	end loop;
end
$$;
-- Takes turns with others of its name.  Ends when it has read up to a number.
create procedure read_events(reader text, upto bigint) language plpgsql as $$
declare
	last bigint := 0;
begin
	while last < upto loop
		insert into seen (reader, seq) select reader, seq from cctv.consume(reader, 7) order by seq;
		select coalesce(max(s.seq), 0) into last from seen as s where s.reader = read_events.reader;
		if last > 0 then
			perform cctv.commit_offset(reader, last);
		end if;
		commit;
	end loop;
end
$$;
SQL

# Clients: the documented examples.
my $follow = $node->basedir . '/follow_alerts';
my @libpq = split ' ', `pkg-config --cflags --libs libpq`;
IPC::Run::run([ qw(cc -std=gnu11 -Wall -Wextra -Werror -o), $follow, "$top/examples/follow_alerts.c", @libpq ])
  or BAIL_OUT('examples/follow_alerts.c does not compile');
my $have_python = !system("/usr/bin/python3 -c 'import psycopg2' 2>/dev/null");

my @clients;

sub start_client
{
	my ($name, @command) = @_;
	my $output = $node->basedir . "/$name.out";
	my $client = { output => $output };
	$client->{run} = IPC::Run::start(\@command, '<', \undef, '>', $output, '2>', "$output.err");
	push @clients, $client;
	return $client;
}

END
{
	my $status = $?;
	$_->{run}->kill_kill foreach @clients;
	$? = $status;
}

my $conninfo = $node->connstr('postgres');
my $c_client = start_client('c', $follow, $conninfo, 0);
my $python = $have_python ? start_client('python', "$top/examples/consume.py", $conninfo, 'python') : undef;

sub start_sql
{
	my ($sql) = @_;
	return IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $conninfo, '-c', $sql ], '<', \undef, '>&', \my $output);
}

# A long transaction that writes elsewhere, and one that has raised an alert
# before all others and commits after them.
$node->safe_psql('postgres', 'create table elsewhere (n integer)');
my $bystander = $node->background_psql('postgres');
$bystander->query_safe('begin; insert into elsewhere values (1)');
my $slow = $node->background_psql('postgres');
$slow->query_safe("begin; select raise_some(1, 1)");

my @writers = map { start_sql("call write_events($_, 200)") } 1 .. 4;
# 4 writers; of 200 rounds each 28 are rolled back.
$_->finish foreach @writers;
is(join(' ', map { $_->result(0) } @writers), '0 0 0 0', 'nobody who writes waits for a transaction that has raised events and is still open');
my $before = sql_value($node, 'select cctv.last_seq()');
is(sql_value($node, 'select count(*) from (select seq from cctv.alerts union all select seq from cctv.camera_events) e where seq is not null'),
	$before, 'as many events as numbers: none is missing');

my @readers = map { start_sql("call read_events('shared', $before)") } 1 .. 3;
$_->finish foreach @readers;
is(join(' ', map { $_->result(0) } @readers), '0 0 0', 'nobody who reads waits for a long transaction');
is(sql_value($node, "select count(*) from seen where reader = 'shared'"), $before, 'three processes of one consumer have shared the events');
is(sql_value($node, "select bool_and(seq = n) from (select seq, row_number() over (order by n) as n from seen where reader = 'shared') s"),
	't', 'each once, in order');

sub last_line { my ($client) = @_; return (split /\n/, slurp_file($client->{output}))[-1] // ''; }

sub wait_client
{
	my ($client, $seq, $name) = @_;
	ok(wait_until(sub { last_line($client) =~ /^$seq /; }), $name)
	  or diag(slurp_file("$client->{output}.err"));
	return;
}

my $last_alert = sql_value($node, 'select max(seq) from cctv.alerts');
wait_client($c_client, $last_alert, 'the client in C has caught up');
wait_client($python, $before, 'and the one in Python') if $python;

$slow->query_safe('commit');
my $late = sql_value($node, "select max(seq) from cctv.alerts where alert_id = 1");
is($late, $before + 1, 'what was raised first and committed last has the last number');
wait_client($c_client, $late, 'and reaches readers that are past the others, though no notification told them');

# The power fails while all are at it.
my @more = map { start_sql("call write_events($_, 100000)") } 1 .. 4;
my @busy = map { start_sql("call read_events('shared', 1000000000)") } 1 .. 2;
wait_sql($node, 'select cctv.last_seq() > ' . ($before + 500), 'writers are at it again');
$node->stop('immediate');
$_->finish foreach @more, @busy;
my $seen_before = last_line($c_client);
$node->start;
my $after = sql_value($node, 'select cctv.last_seq()');
is(sql_value($node, 'select count(*) from (select seq from cctv.alerts union all select seq from cctv.camera_events) e where seq is not null'),
	$after, 'after a crash none is missing either');
cmp_ok((split / /, $seen_before)[0], '<=', $after, 'and nobody has seen a number that is lost');
$node->safe_psql('postgres', 'call write_events(1, 10)');
my $end = sql_value($node, 'select cctv.last_seq()');
$node->safe_psql('postgres', "call read_events('shared', $end)");
is(sql_value($node, "select count(*) = $end and bool_and(seq = n) from (select seq, row_number() over (order by n) as n from seen where reader = 'shared') s"),
	't', 'a consumer that keeps what it reads in the same transaction has each event once, in order');

# What the clients have printed, before the crash and after it.
$last_alert = sql_value($node, 'select max(seq) from cctv.alerts');
wait_client($c_client, $last_alert, 'the client in C goes on after the crash');
my $printed = join("\n", map { /^(\d+ \d+)/ ? $1 : () } split /\n/, slurp_file($c_client->{output}));
ok($printed eq $node->safe_psql('postgres', "select seq || ' ' || alert_id from cctv.alerts order by seq"),
	'it has printed every alert once, in order, and none that was lost');
SKIP:
{
	skip 'python3-psycopg2 is not installed', 2 unless $python;
	wait_client($python, $end, 'the one in Python, too');
	my %printed = map { /^(\d+) / ? ($1 => 1) : () } split /\n/, slurp_file($python->{output});
	is(scalar(grep { $printed{$_} } 1 .. $end), $end, 'it has handled every event');
}

# Replay.
is(sql_value($node, "select cctv.seek('shared', 0); select array_agg(seq) = '{1,2,3}' from cctv.consume('shared', 3)"), "\nt", 'from the beginning');

$bystander->quit;
$slow->quit;
finish();
