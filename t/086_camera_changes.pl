# A camera that changes: it starts up and knows nothing of its stream yet, it
# comes back with another codec or size, with another password, or under a name
# that cannot be looked up for a while.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('changes', conf => "cctv.stall_timeout = '3s'\n");
$node->start;
create_extension($node);
my $server = rtsp_camera('vtest.mp4');
add_camera($node, 'lobby', $server->url);
wait_running($node, 'lobby');

sub now { return sql_value($node, 'select clock_timestamp()') }

sub message
{
	return sql_value($node, 'select message from cctv.camera_status');
}

# The camera goes, and another takes its address.
sub replaced_by
{
	my ($video, %options) = @_;
	$server->stop;
	$server = rtsp_camera($video, %options, port => $server->port);
	return;
}

sub sees
{
	my ($what, %options) = @_;
	my $mark = now();
	return wait_sql($node, "select count(*) > 0 from cctv.detections where at > '$mark'", "$what: detections", %options);
}

# Once it has run, a camera that says 404 is asked again soon, not in a minute.
replaced_by('vtest.mp4', path => '/not-yet');
wait_state($node, 'lobby', 'error', 'starting up: it has no such stream', within => 30);
like(message(), qr/404/, 'the message says so');
replaced_by('vtest.mp4');
my $took = wait_running($node, 'lobby', within => 60);
cmp_ok($took, '<', 20, sprintf('it runs as soon as there is one (%.1f s)', $took));

replaced_by('vtest-hevc.mp4');
wait_sql($node, "select state = 'running' and codec = 'hevc' from cctv.camera_status", 'another codec');
sees('another codec');
replaced_by('vtest-720p.mp4');
wait_sql($node, "select state = 'running' and codec = 'h264' and width = 1280 from cctv.camera_status", 'another size');
sees('another size');

# Another password: the state says what is wrong, and the mended row runs at once.
replaced_by('vtest.mp4', user => 'viewer', password => 'opensesame');
wait_state($node, 'lobby', 'error', 'another password: an error', within => 30);
like(message(), qr/401/, 'the message names the cause');
my $url = $server->url =~ s{//}{//viewer:opensesame\@}r;
$node->safe_psql('postgres', "update cctv.cameras set url = '$url'");
$took = wait_running($node, 'lobby', within => 30);
cmp_ok($took, '<', 10, sprintf('the mended row runs (%.1f s)', $took));

# Its name is gone from the name service and comes back.  The engine is shown
# another /etc/hosts, in a mount of its own.
SKIP:
{
	skip 'needs user namespaces', 4 if system('unshare -Urm true 2>/dev/null') != 0;
	replaced_by('vtest.mp4');
	my $hosts = $node->basedir . '/hosts';
	write_hosts($hosts, "127.0.0.1 localhost\n127.0.0.1 camera.test\n");
	wrap_engine($hosts);
	my $named = $server->url =~ s/127\.0\.0\.1/camera.test/r;
	$node->safe_psql('postgres', "update cctv.cameras set url = '$named'");
	kill('KILL', engine_pids($node));
	wait_running($node, 'lobby');
	sees('a camera with a name');
	write_hosts($hosts, "127.0.0.1 localhost\n");
	$server->stop;
	wait_state($node, 'lobby', 'reconnecting', 'its name is gone', within => 30);
	wait_sql($node, "select message ~* 'name|address|resolve' from cctv.camera_status", 'the message says so', within => 30);
	$server->start;
	write_hosts($hosts, "127.0.0.1 localhost\n127.0.0.1 camera.test\n");
	wait_running($node, 'lobby', within => 90);
}

# In place: what is mounted is the file, not its name.
sub write_hosts
{
	my ($path, $text) = @_;
	open(my $file, '>', $path) or die "$path: $!";
	print $file $text;
	close $file;
	return;
}

sub wrap_engine
{
	my ($hosts) = @_;
	my $engine = engine_path($node);
	rename($engine, "$engine.real") or die "rename: $!";
	open(my $script, '>', $engine) or die "$engine: $!";
	print $script "#!/bin/sh\nexec unshare -Urm sh -c 'mount --bind \"\$0\" /etc/hosts && exec \"\$@\"' $hosts $engine.real \"\$@\"\n";
	close $script;
	chmod(0755, $engine);
	return;
}

finish();
