# An engine that has been taken over answers what it likes: a backend gives an
# error that says so, or what is valid, and lives on.
use strict;
use warnings;
use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use CctvTest;

my $node = cctv_node('hostile_answers');
unlink engine_path($node);
symlink(abs_path('t/lib/answering_engine'), engine_path($node)) or die "symlink: $!";
$node->start;
create_extension($node);

my $source = slurp_file('t/lib/answering_engine');
my ($list) = $source =~ /^my %answers = \((.*?)^\);/ms;
my @models = $list =~ /^\t'?([a-z0-9-]+)'? =>/mg;
cmp_ok(scalar @models, '>', 15, scalar(@models) . ' kinds of answer');
$node->safe_psql('postgres', "insert into cctv.models (name, kind, file, input_width, input_height, labels)"
	  . ' values ' . join(', ', map { "('$_', 'efficientdet', 'x.onnx', 320, 320, '{person}')" } @models));

my $session = $node->background_psql('postgres', on_error_stop => 0);
my $backend = $session->query_safe('select pg_backend_pid()');
$session->query('\set VERBOSITY verbose');

my %expected = (
	good => qr/^t$/,
	silence => qr/08006: .*ended while it served/,
	half => qr/08006: .*ended while it served/,
	magic => qr/08P01: .*makes no sense.*does not begin as a frame/s,
	version => qr/08P01: .*makes no sense.*another version/s,
	'long-json' => qr/08P01: .*makes no sense.*too long/s,
	'long-binary' => qr/08P01: .*makes no sense.*too long/s,
	kind => qr/08P01: .*makes no sense/,
	'no-json' => qr/22P02: .*CONTEXT: .*answer of an engine/s,
	empty => qr/22P02: .*CONTEXT: .*answer of an engine/s,
	array => qr/08P01: .*makes no sense/,
	deep => qr/54001: .*stack depth|22P02: /,
	nul => qr/22P05: /,
	utf8 => qr/22021: /,
	number => qr/22003: |22P02: /,
	shape => qr/22023: /,
	missing => qr/^f$/,
	error => qr/22P03: +line one  x+\.*$/m,
	'odd-error' => qr/58000: /,
	surplus => qr/^f$/,
);
foreach my $model (@models)
{
	$session->{stderr} = '';
	my $output = $session->query("select exists (select from cctv.analyze('x', '$model'))");
	my $said = $output . $session->{stderr};
	like($said, $expected{$model}, "$model: " . substr($said =~ s/\n.*//sr, 0, 100));
	cmp_ok(length $said, '<', 5000, "$model: is not told at length");
	unlike($said, qr/XX000/, "$model: not an internal error");
	$session->{stderr} = '';
}
is($session->query_safe('select pg_backend_pid()'), $backend, 'the backend lives on');

# Pictures and paths, too.
$node->safe_psql('postgres', "insert into cctv.cameras (name, url) values ('lobby', 'rtsp://127.0.0.1:9/x'); select cctv.start('lobby')");
wait_sql($node, 'select count(*) = 1 from cctv.camera_status where engine is not null', 'a camera is with this engine');
foreach my $function (qw(live_frame take_snapshot))
{
	$session->query("select cctv.$function('lobby')");
	like($session->{stderr}, qr/08006: .*ended while it served/, "$function: no answer is an error");
	$session->{stderr} = '';
}
$session->quit;
unlike(log_since($node), qr/PANIC|terminating any other active server processes/, 'no crash recovery');
finish();
