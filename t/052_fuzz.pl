# Random input to a real server: lines of engines to the worker's checks and to
# cctv.ingest(); zones, schedules, URLs, rules and models to SQL.  Nothing may
# crash, hang, fail for another reason than bad input, or tell a password.
#
# CCTV_FUZZ_SECONDS says for how long (12), CCTV_FUZZ_SEED with which numbers.
use strict;
use warnings;
use lib 't/lib';
use Time::HiRes qw(time);
use Test::More;
use CctvTest;

my $seconds = $ENV{CCTV_FUZZ_SECONDS} || 12;
my $seed = $ENV{CCTV_FUZZ_SEED} || time * 1000 % 1_000_000_000;
my $module = ($ENV{CCTV_TOP} || '.') . '/build/test/fuzz_backend.so';
diag("seed $seed");

# No worker: what is ingested here is all that is.
my $node = cctv_node('fuzz', databases => '');
$node->start;
create_extension($node);
$node->safe_psql('postgres', "create database latin1 template template0 encoding 'LATIN1' locale 'C'");

my $functions = <<"SQL";
create function fuzz_text(seeds text[], seed bigint) returns text language c strict as '$module';
create function fuzz_event_lines(seeds text[], seed bigint, runs integer) returns text[] language c strict as '$module';
SQL
$node->safe_psql($_, $functions) foreach qw(postgres latin1);

# What bad input may be refused with.  Not among them: internal errors (XX), what a
# query that was put together wrongly gives (42), a time-out (57).
my $expected = q{'^(22...|23502|23503|23505|23514|42704|P0002|54000)$'};

sub array_of { return 'array[' . join(', ', map { s/'/''/gr =~ s/^(.*)$/'$1'/sr } @_) . ']::text[]' }

#
# Lines of an engine
#
my $session = '"session":"0a000000000000000000000000000001"';
my @lines = (
	qq({"type":"state","camera_id":1,$session,"seq":1,"at":"2026-03-01T12:00:00.000000Z","state":"running","message":null}),
	qq({"type":"state","camera_id":1,"state":"error","message":"no \\u00e9 \xc3\xa9 stream","run":1}),
	qq({"type":"stats","camera_id":1,$session,"seq":2,"last_frame_at":"2026-03-01T12:00:00.4Z","fps_in":10,"fps_decoded":10.5,"fps_analysed":5,"inference_ms":21.5,"frames":4,"analysed":2,"skipped":0,"inferences":2,"dropped_events":0,"reconnects":0,"width":768,"height":576,"codec":"h264"}),
	qq({"type":"stats","runtime":"onnxruntime 1.24.3"}),
	qq({"type":"motion","camera_id":1,$session,"seq":3,"at":"2026-03-01T12:00:00.2Z","active":true,"area":0.02}),
	qq({"type":"objects","camera_id":1,$session,"seq":4,"at":"2026-03-01T12:00:01Z","decoded_at":"2026-03-01T18:00:00Z","inference_ms":20.5,"objects":[{"track":1,"label":"person","confidence":0.6,"box":[0.1,0.2,0.1,0.3],"stationary":false,"model":"objects","attributes":{"pose":"upright"},"since":"2026-03-01T12:00:00.6Z","snapshot":"1/1.jpg"}]}),
	qq({"type":"track_end","camera_id":1,$session,"seq":5,"at":"2026-03-01T12:00:02Z","track":1,"last_seen":"2026-03-01T12:00:01Z"}),
	qq({"type":"snapshot","camera_id":1,$session,"seq":6,"at":"2026-03-01T12:00:02Z","track":1,"path":"1/1.jpg","bytes":1000,"width":768,"height":576,"sha256":"00","score":0.5}),
	qq({"type":"recording","camera_id":1,$session,"seq":7,"at":"2026-03-01T12:00:02Z","action":"opened","path":"1/a.mp4","started_at":"2026-03-01T12:00:01Z","reason":"motion","codec":"h264","width":768,"height":576,"has_audio":false}),
	qq({"type":"recording","camera_id":1,$session,"seq":8,"at":"2026-03-01T12:00:09Z","action":"closed","path":"1/a.mp4","started_at":"2026-03-01T12:00:01Z","ended_at":"2026-03-01T12:00:09Z","reason":"alert","frames":80,"bytes":100000,"sha256":"00"}),
	qq({"type":"log","camera_id":1,"level":"warning","message":"a line\\nwith \\"quotes\\""}));
my $lines = array_of(@lines);

my $camera = <<'SQL';
insert into cctv.cameras (camera_id, name, url, enabled, labels, file_start)
	values (1, 'lobby', '/srv/video/lobby.mp4', true, '{person}', '2026-03-01 12:00:00+00');
insert into cctv.alert_rules (name) values ('object');
select cctv.assign_engines(16);
SQL
$node->safe_psql('postgres', $camera);

my ($checked, $passed, @passed) = (0, 0);
my $end = time + $seconds / 4;
my $step = 0;
do
{
	foreach my $database (qw(postgres latin1))
	{
		my $count = sql_value($node, "select cardinality(fuzz_event_lines($lines, $seed + @{[ ++$step ]}, 20000))", $database);
		like($count, qr/^\d+$/, "20000 lines in $database, seed $seed + $step: $count or more pass") or last;
		$checked += 20000;
		$passed += $count =~ /^\d+$/ ? $count : 0;
	}
} while (time < $end);
cmp_ok($passed, '>', 0, "$checked lines were checked, some pass");
cmp_ok($passed, '<', $checked, 'and some do not');

# What passes the worker's checks goes to cctv.ingest(), one by one and in batches.
$node->safe_psql('postgres', <<"SQL");
create table refused (state text, message text, line text);
create procedure fuzz_ingest(seed bigint, batch integer) language plpgsql as \$\$
declare
	passed text[] := fuzz_event_lines($lines, seed, 3000);
	state text;
	said text;
begin
	for i in 1 .. cardinality(passed) by batch loop
		begin
			perform cctv.ingest((select jsonb_agg(l::jsonb) from unnest(passed[i : i + batch - 1]) as l));
		exception when others then
			get stacked diagnostics state = returned_sqlstate, said = message_text;
			insert into refused values (state, said, passed[i]);
		end;
	end loop;
end \$\$;
SQL
$end = time + $seconds / 4;
my $batches = 0;
do
{
	my $batch = $step % 2 ? 1 : 7;
	my ($stdout, $stderr) = ('', '');
	my $status = $node->psql('postgres', "set statement_timeout = '60s'; call fuzz_ingest($seed + @{[ ++$step ]}, $batch)", stdout => \$stdout, stderr => \$stderr);
	is($status, 0, "ingest, seed $seed + $step") or diag($stderr);
	$batches++;
} while (time < $end);
is(sql_value($node, "select coalesce(string_agg(distinct state || ' ' || message || ': ' || left(line, 300), e'\\n'), '') from refused where state !~ $expected"),
	'', 'lines are refused for what is wrong with them');
is(sql_value($node, "select count(*) from cctv.cameras"), '1', 'no line made a camera');
is(sql_value($node, "select count(*) from cctv.detections where not (confidence between 0 and 1 and x between 0 and 1 and y between 0 and 1 and w between 0 and 1 and h between 0 and 1)"),
	'0', 'every detection lies in the picture');
cmp_ok(sql_value($node, 'select count(*) from cctv.detections'), '>', 0, 'and there are some');
cmp_ok(sql_value($node, "select count(*) from pg_inherits where inhparent = 'cctv.detections'::regclass"), '<', 60, 'few partitions');

#
# Statements: $1 is a random text that began as one of the seeds
#
$node->safe_psql('postgres', "update cctv.cameras set enabled = false; alter system set cctv.databases = 'postgres'; select pg_reload_conf()");
wait_sql($node, 'select cctv.worker_pid() is not null', 'now there is a worker, too');
my @zones = ('{{0.1,0.1},{0.9,0.1},{0.5,0.9}}', '{{0,0},{1,0},{1,1},{0,1}}', '{{0.2,0.5},{0.8,0.5}}', '{}', '{{NaN,1},{0,0},{1,1}}');
my @crons = ('0 18 * * mon-fri', '*/5 0-6 1,15 jan-mar 7', '0 0 $ 2 *', '59 23 31 12 0', '0 0 30 2 *', '0 0 29 feb mon');
my @days = ('mon-fri', 'daily', 'weekends', 'fri-mon,wed', '1-5', 'sat,sun');
my @times = ('00:00', '24:00', '8:30', '23:59:59', '08:00 ', '25:00');
my @zones_of_time = ('Europe/Berlin', 'UTC', 'EST5EDT', '+02', 'Asia/Kathmandu', 'posix/CET');
my @urls = (
	'rtsp://viewer:Sesam77@192.0.2.7:554/stream1', 'https://u:Sesam77@h.example/x?y=z', 'http://[2001:db8::1]:80/',
	'/srv/video/a.mp4', 'file:///srv/a%20b.mp4', '/dev/video0', 'rtsp://u:Sesam77%2F@h', 'rtsp://u:Sesam77/x@h/');
my @json = ('{"fit":"centred","mean":[1,2,3],"interval":5}', '{"threshold":200,"temperatures":[[0,-20],[255,120]]}', '[]', 'null');
my @names = ('lobby', "o'hara", 'yard 2', '1', "\x{e9}t\x{e9}", '');
utf8::encode($_) foreach @names;
my %statements = (
	'select cctv.parse_cron($1)' => \@crons,
	"select cctv.schedule('lobby', 'run', 'daily', \$1, \$1); select cctv.next_change('lobby', '2026-01-01')" => \@crons,
	"select cctv.schedule('lobby', 'detect', 'daily', '0 8 * * *', \$1); select * from cctv.schedule_at('lobby', '2026-03-29 02:30')" => \@crons,
	'select cctv.parse_days($1)' => \@days,
	"select cctv.schedule('lobby', 'record', \$1, '22:00', '06:00'); select cctv.next_change('lobby', '2026-06-01')" => \@days,
	"select cctv.schedule('lobby', 'run', 'daily', \$1, '18:00'); select cctv.next_change('lobby')" => \@times,
	"select cctv.schedule('lobby', 'run', 'daily', '8:00', '18:00', \$1); select cctv.next_change('lobby', '2026-03-29')" => \@zones_of_time,
	"update cctv.cameras set time_zone = \$1; select cctv.schedule('lobby', 'run'); select cctv.next_change('lobby')" => \@zones_of_time,
	"select cctv.add_zone('lobby', 'z', \$1::real[])" => \@zones,
	"select cctv.add_zone('lobby', 'z', \$1::real[], 'line', 'any'); select cctv.add_rule('r', 'lobby', line => 'z')" => \@zones,
	"select cctv.add_zone('lobby', 'z', \$1::real[], 'mask')" => \@zones,
	"select cctv.zone_from_pixels(\$1::float8[], 640, 480)" => \@zones,
	"select cctv.add_zone('lobby', \$1, '{{0,0},{1,0},{1,1}}'); select cctv.remove_zone('lobby', \$1)" => \@names,
	"select cctv.split_url(\$1)" => \@urls,
	"insert into cctv.cameras (name, url) values ('new', \$1)" => \@urls,
	"update cctv.cameras set detect_url = \$1" => \@urls,
	'select cctv.percent_decode($1)' => \@urls,
	"select cctv.add_camera(\$1, '/srv/video/b.mp4'); select cctv.set_fps(\$1, 2); select cctv.remove_camera(\$1)" => \@names,
	"select cctv.add_rule(\$1, 'lobby'); select cctv.add_rule('r', \$1)" => \@names,
	"select cctv.add_rule('r', labels => \$1::text[])" => [ '{person,car}', '{}', '{NULL}', '{"a b"}' ],
	"select cctv.add_rule('r', min_dwell => \$1::interval)" => [ '5 s', '-1 day', 'PT5M', '1000000 years' ],
	"select cctv.set_fps('lobby', \$1::real)" => [ '5', '0.1', '1e30', 'NaN', '-0' ],
	"update cctv.models set options = \$1::jsonb where name = 'objects'" => \@json,
	"select cctv.alerts_since(\$1::bigint)" => [ '0', '17', '9223372036854775807', '-1' ],
	"select cctv.create_consumer(\$1); select count(*) from cctv.consume(\$1, 10)" => \@names);
$node->safe_psql('postgres', <<'SQL');
create table failures (statement text, input text, state text, message text);
-- Run the statements with changed inputs, each in a transaction of its own that
-- leaves nothing behind.
create function fuzz_statement(statements text, seeds text[], seed bigint, runs integer) returns integer language plpgsql as $$
declare
	input text;
	statement text;
	done integer := 0;
	state text; said text; detail text; hint text;
begin
	for i in 1 .. runs loop
		input := case when i <= cardinality(seeds) then seeds[i] else fuzz_text(seeds, seed + i) end;
		begin
			foreach statement in array string_to_array(statements, '; ') loop
				-- Every result is read, so that nothing stays unevaluated.
				if statement ~ '^select' then
					execute 'select count(r::text) from (' || statement || ') as r' using input;
				else
					execute statement using input;
				end if;
			end loop;
			done := done + 1;
			raise exception 'undo' using errcode = 'P0FUZ';
		exception when others then
			get stacked diagnostics state = returned_sqlstate, said = message_text,
				detail = pg_exception_detail, hint = pg_exception_hint;
			if state <> 'P0FUZ' then
				insert into failures values (statements, input, state, concat_ws(' | ', said, detail, hint));
			end if;
		end;
	end loop;
	return done;
end $$;
SQL
my @statements = sort keys %statements;
my %done;
$end = time + $seconds / 2;
do
{
	foreach my $statement (@statements)
	{
		my $seeds = array_of(@{ $statements{$statement} });
		my ($stdout, $stderr) = ('', '');
		my $status = $node->psql('postgres', "set client_min_messages = error; set statement_timeout = '60s';"
			  . " select fuzz_statement(\$q\$$statement\$q\$, $seeds, $seed + @{[ $step += 1000 ]}, 40)",
			stdout => \$stdout, stderr => \$stderr);
		is($status, 0, "$statement, seed $seed + $step") or diag($stderr);
		$done{$statement} += $stdout || 0;
	}
} while (time < $end);
foreach my $statement (@statements)
{
	cmp_ok($done{$statement}, '>', 0, "sometimes accepted: $statement");
}
is(sql_value($node, "select coalesce(string_agg(distinct state || ' ' || statement || ' ' || quote_literal(left(input, 200)) || ': ' || left(message, 300), e'\\n'), '') from failures where state !~ $expected"),
	'', 'bad input is refused as bad input');
is(sql_value($node, q{select coalesce(string_agg(message, e'\n'), '') from failures where statement ~ 'url|add_camera' and message ~ 'Sesam77'}),
	'', 'no error tells a password');
cmp_ok(sql_value($node, 'select count(*) from failures'), '>', 0, 'and some input was refused');
unlike(log_since($node), qr/PANIC|terminated by signal/, 'no process died');

finish();
