# cctv.allowed_networks: the engine talks to nobody else, whichever way it is
# sent there: by a camera's URL, a redirect, the other end of RTP, a probe.
use strict;
use warnings;
use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('networks');
$node->start;
create_extension($node);

sub allow
{
	my ($networks) = @_;
	$node->safe_psql('postgres', "alter system set cctv.allowed_networks = $networks; select pg_reload_conf()");
	return;
}

# A server of RTSP that says what it is told to; ends with this test.
sub rtsp_script
{
	my ($answers) = @_;
	my $socket = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0)
	  or die "listen: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		my $parent = getppid();
		$SIG{PIPE} = 'IGNORE';
		local $/ = "\r\n\r\n";
		while (getppid() == $parent)
		{
			next unless IO::Select->new($socket)->can_read(1);
			my $client = $socket->accept or next;
			while (defined(my $request = <$client>))
			{
				my ($method) = $request =~ /^(\w+)/;
				my ($sequence) = $request =~ /^CSeq: *(\d+)/mi;
				syswrite($client, $answers->($method, $sequence, $request));
			}
		}
		POSIX::_exit(0);
	}
	return ($pid, 'rtsp://127.0.0.1:' . $socket->sockport . '/camera');
}

# Pass when the camera's message tells of the address.
sub wait_refused
{
	my ($camera, $address, $state) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return wait_sql($node,
		"select s.state = '$state' and s.message ~ 'the address $address is outside cctv.allowed_networks'"
		  . " from cctv.camera_status s join cctv.cameras c using (camera_id) where c.name = '$camera'",
		"$camera: $address is refused");
}

#
# The setting
#
is(sql_value($node, 'show cctv.allowed_networks'), 'any', 'any network by default');
my %wrong = (
	q{'10.0.0.1/8'} => qr/bits set to the right of its mask; the network is 10\.0\.0\.0\/8/,
	q{'10.0.0.0/33'} => qr/no mask of 0 to 32 bits/,
	q{'camera.example'} => qr/"camera\.example" is not an address/,
	q{'any', '10.0.0.0/8'} => qr/"any" is not an address/,
	q{''} => qr/The list is empty/,
	q{'10.0.0.0/8', '::1/200'} => qr/no mask of 0 to 128 bits/);
foreach my $value (sort keys %wrong)
{
	my ($stdout, $stderr) = ('', '');
	$node->psql('postgres', "alter system set cctv.allowed_networks = $value", stdout => \$stdout, stderr => \$stderr);
	like($stderr, qr/invalid value for parameter.*DETAIL:\s+[^\n]*$wrong{$value}.*HINT:\s+Name networks in CIDR/s, "$value: says why");
}

#
# Two hosts that serve the same video, one that sends there, one of RTSP
#
my $near = rtsp_camera('vtest.mp4');
# A container may be without IPv6.
my $has_six = (eval { slurp_file('/proc/net/if_inet6') } // '') =~ /^0{31}1 /m;
my $six = $has_six ? rtsp_camera('vtest.mp4', host => '::1') : undef;
my @six = $has_six ? ('six') : ();
diag('no IPv6 here: those tests are left out') unless $has_six;
my $far = file_server(media_dir(), '127.0.0.2');
my $far_video = $far->url . '/vtest.mp4';
my ($redirector, $moved) = rtsp_script(
	sub {
		my ($method, $sequence) = @_;
		return "RTSP/1.0 302 Found\r\nCSeq: $sequence\r\nLocation: rtsp://127.0.0.2:$far->{port}/camera\r\n\r\n";
	});
my $http_moved = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0) or die "listen: $!";
my $http_redirector = fork() // die "fork: $!";
if ($http_redirector == 0)
{
	my $parent = getppid();
	$SIG{PIPE} = 'IGNORE';
	while (getppid() == $parent)
	{
		next unless IO::Select->new($http_moved)->can_read(1);
		my $client = $http_moved->accept or next;
		sysread($client, my $request, 4096);
		syswrite($client, "HTTP/1.1 302 Found\r\nLocation: " . $far->url . "/vtest.mp4\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	}
	POSIX::_exit(0);
}
my $redirected = 'http://127.0.0.1:' . $http_moved->sockport . '/video';

add_camera($node, 'near', $near->url, detect => 'f');
add_camera($node, 'udp', $near->url, detect => 'f', rtsp_transport => 'udp');
add_camera($node, 'mapped', "rtsp://[::ffff:127.0.0.1]:$near->{port}/camera", detect => 'f');
add_camera($node, 'six', $six->url, detect => 'f') if $has_six;
add_camera($node, 'redirected', $redirected, detect => 'f');
add_camera($node, 'moved', $moved, detect => 'f');
wait_running($node, $_) foreach qw(near udp mapped), @six;
ok(wait_until(sub { $far->said =~ /GET \/vtest\.mp4/ }), 'without a list a redirect of HTTP is followed');
ok(wait_until(sub { $far->said =~ /OPTIONS rtsp:/ }), 'and one of RTSP');

#
# The list, by a reload
#
allow(q{'127.0.0.1/32', '10.0.0.0/8'});
wait_refused('redirected', '127.0.0.2', 'error');
wait_refused('moved', '127.0.0.2', 'error');
wait_refused($_, '::1', 'error') foreach @six;
wait_running($node, $_) foreach qw(near udp mapped);
my $before = length $far->said;
add_camera($node, 'direct', $far_video);
wait_refused('direct', '127.0.0.2', 'error');
add_camera($node, 'recorded', $far_video, detect_url => $near->url, record => 'continuous');
ok(wait_until(sub { log_since($node) =~ /the stream to be recorded: the address 127\.0\.0\.2 is outside cctv\.allowed_networks/ }),
	'recorded: the main stream is refused, too');
wait_running($node, 'recorded');
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', "select * from cctv.probe('$far_video')", stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/no stream was found.*the address 127\.0\.0\.2 is outside cctv\.allowed_networks/, 'a probe of it');
$node->psql('postgres', "select * from cctv.probe('127.0.0.2')", stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/no stream was found.*the address 127\.0\.0\.2 is outside cctv\.allowed_networks/, 'a probe of its ports');
is(length $far->said, $before, 'nothing has reached the host that is not allowed');

#
# RTP over UDP: a server that names another host as the source of its stream
#
my @listeners = map { IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.2', LocalPort => 0) or die "udp: $!" } 1 .. 2;
my $ports = join('-', map { $_->sockport } @listeners);
my $sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:video\r\n";
my ($misleader, $misled) = rtsp_script(
	sub {
		my ($method, $sequence, $request) = @_;
		my $head = "RTSP/1.0 200 OK\r\nCSeq: $sequence\r\nSession: 1\r\n";
		my ($client) = $request =~ /client_port=([\d-]+)/;
		return $head . "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n" if $method eq 'OPTIONS';
		return $head . "Content-Type: application/sdp\r\nContent-Length: " . length($sdp) . "\r\n\r\n$sdp" if $method eq 'DESCRIBE';
		return $head . "Transport: RTP/AVP/UDP;unicast;client_port=$client;server_port=$ports;source=127.0.0.2\r\n\r\n"
		  if $method eq 'SETUP';
		return "$head\r\n";
	});
$node->safe_psql('postgres', "alter system set cctv.stall_timeout = '2s'; select pg_reload_conf()");
add_camera($node, 'misled', $misled, rtsp_transport => 'udp');
wait_refused('misled', '127.0.0.2', 'reconnecting');
ok(!IO::Select->new(@listeners)->can_read(0), 'no datagram has reached the host that is not allowed');
allow(q{'127.0.0.0/8'});
ok(IO::Select->new(@listeners)->can_read($CctvTest::patience), 'and one does, once it is');
ok(wait_until(sub { length $far->said > $before }), 'and redirects are followed again');

#
# Each family for itself, and nobody
#
allow(q{'::/0'});
wait_running($node, $_) foreach @six;
wait_refused('near', '127\.0\.0\.1', 'error');
wait_refused('mapped', '(::ffff:)?127\.0\.0\.1', 'error');
allow(q{'none'});
wait_refused($_, '::1', 'error') foreach @six;
allow(q{'any'});
wait_running($node, $_) foreach @six, qw(near mapped);

#
# A list that cannot be read: at a reload the last one stays, at a start it is none
#
allow(q{'127.0.0.1'});
$node->safe_psql('postgres', 'alter system reset cctv.allowed_networks');
$node->append_conf('postgresql.conf', "cctv.allowed_networks = '127.0.0.1/33'\n");
$node->reload;
ok(wait_until(sub { log_since($node) =~ /"127\.0\.0\.1\/33" has no mask of 0 to 32 bits/ }), 'a reload says what is wrong');
is(sql_value($node, 'show cctv.allowed_networks'), '127.0.0.1', 'and leaves the last list');
$node->restart;
is(sql_value($node, 'show cctv.allowed_networks'), 'none', 'a start allows nobody');
wait_refused('near', '127\.0\.0\.1', 'error');
like(log_since($node), qr/engines may talk to no network until "cctv\.allowed_networks" is mended/, 'and says so');
$node->append_conf('postgresql.conf', "cctv.allowed_networks = '127.0.0.0/8'\n");
$node->reload;
wait_running($node, 'near');

kill('KILL', $redirector, $http_redirector, $misleader);
waitpid($_, 0) foreach $redirector, $http_redirector, $misleader;
finish();
