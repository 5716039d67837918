# Cameras for the tests: an RTSP server, an HTTP MJPEG camera, and servers that
# misbehave.  Each is a process of its own on the loopback interface; it dies
# with the test.
package CameraServers;

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use CctvTest qw(wait_until media);

our @EXPORT = qw(rtsp_camera rtsp_sink listener_of hls_camera http_mjpeg_camera file_server bad_server poisoned);

my $top = $ENV{CCTV_TOP} || '.';
my %running;

# Start a command as a child that dies with us; returns its pid.
sub spawn
{
	my ($log, @command) = @_;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		setpgrp();
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', $log) or die "$log: $!";
		open(STDERR, '>&', \*STDOUT);
		exec('setpriv', '--pdeathsig', 'KILL', @command) or POSIX::_exit(127);
	}
	$running{$pid} = 1;
	return $pid;
}

sub new_server
{
	my ($name, $url, $port, @command) = @_;
	my $self = bless {
		name => $name,
		url => $url,
		port => $port,
		command => \@command,
		log => "$PostgreSQL::Test::Utils::log_path/$name-$port.log"
	}, __PACKAGE__;
	$self->start;
	return $self;
}

sub start
{
	my ($self) = @_;
	$self->{pid} = spawn($self->{log}, @{ $self->{command} });
	wait_until(sub { listening($self->{port}) || waitpid($self->{pid}, POSIX::WNOHANG) }, 30);
	die "$self->{name} does not start: see $self->{log}\n" unless listening($self->{port});
	return;
}

# What it has said: for a file server, the requests.
sub said { return slurp_file($_[0]->{log}) }
sub url { return $_[0]->{url} }
sub pid { return $_[0]->{pid} }
sub port { return $_[0]->{port} }

# End it by a signal (default KILL, as a camera loses power) and reap it.
sub stop
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{pid} // return;
	kill($signal // 'KILL', -$pid, $pid);
	waitpid($pid, 0);
	delete $running{$pid};
	return;
}

# Let it take nothing more, without a word; and go on.
sub suspend { return kill('STOP', -$_[0]->{pid}, $_[0]->{pid}) }
sub resume { return kill('CONT', -$_[0]->{pid}, $_[0]->{pid}) }

# rtsp_camera(VIDEO, %options): serve a file of build/media, or of a full path, in
# a loop, as /camera.
#   mount => 'stall-after=5'      options of the mount
#   user => ..., password => ...  ask for them
#   port => ..., path => ...      there, and not as /camera on a free port
#   host => ...                   listen there and not on 127.0.0.1
#   tls => DIRECTORY              over TLS, by a certificate made there
sub rtsp_camera
{
	my ($video, %options) = @_;
	my $port = $options{port} // PostgreSQL::Test::Cluster::get_free_port();
	my $path = $options{path} // '/camera';
	my $file = $video eq 'silent' || $video =~ m{^/} ? $video : media($video);
	my $address = $options{host} // '127.0.0.1';
	my $host = $address =~ /:/ ? "[$address]" : $address;
	my $mount = join(',', "$path=$file", $options{mount} // ());
	my @command = (
		'/usr/bin/python3', "$top/test/media/rtsp_camera.py",
		'--host' => $address, '--port' => $port, '--mount' => $mount);
	push @command, '--user' => $options{user}, '--password' => $options{password}
	  if defined $options{user};
	return new_server('rtsp', "rtsp://$host:$port/camera", $port, @command) unless defined $options{tls};
	my ($key, $certificate) = map { "$options{tls}/$_.pem" } qw(key certificate);
	system_or_bail(qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=camera -keyout), $key, '-out', $certificate);
	return new_server('rtsps', "rtsps://$host:$port/camera", $port, @command,
		'--tls-key' => $key, '--tls-certificate' => $certificate);
}

# poisoned(WORD): the path of a video in which every key frame tells the engine of
# test/engine/poison.c to do what the word says.
sub poisoned
{
	my ($word) = @_;
	my $path = "$PostgreSQL::Test::Utils::tmp_check/poison-$word.ts";
	my $sei = "086f3693-b7b3-4f2c-9653-21492feee5b8+CCTV-POISON=$word";
	system('ffmpeg', '-nostdin', '-v', 'error', '-y', '-i', media('vtest.mp4'), '-t', '20', '-c', 'copy',
		'-bsf:v', "h264_mp4toannexb,dump_extra,h264_metadata=sei_user_data=$sei", '-f', 'mpegts', $path) == 0
	  or die "ffmpeg cannot make $path\n";
	return $path;
}

# rtsp_sink(DIRECTORY, [MOUNT...], %options): a server that takes streams at
# /MOUNT ("out", "both=h264,aac") and writes each to DIRECTORY/MOUNT.mkv.
#   user => ..., password => ...  ask for them
#   absent => 1                   not started
sub rtsp_sink
{
	my ($directory, $mounts, %options) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my @command = (
		'/usr/bin/python3', "$top/test/media/rtsp_sink.py",
		'--port' => $port, '--directory' => $directory, map { ('--mount' => "/$_") } @$mounts);
	push @command, '--user' => $options{user}, '--password' => $options{password}
	  if defined $options{user};
	my $sink = bless {
		name => 'sink', url => "rtsp://127.0.0.1:$port", port => $port, command => \@command,
		log => "$PostgreSQL::Test::Utils::log_path/sink-$port.log"
	}, __PACKAGE__;
	$sink->start unless $options{absent};
	return $sink;
}

# listener_of(URL, FILE, @OPTIONS): ffmpeg takes one stream at URL and writes it to
# FILE.
sub listener_of
{
	my ($url, $file, @options) = @_;
	my $log = "$PostgreSQL::Test::Utils::log_path/listener.log";
	my $pid = spawn($log, qw(ffmpeg -nostdin -v error -y), @options, '-i', $url, '-c', 'copy', $file);
	return bless { name => 'listener', pid => $pid, url => $url }, __PACKAGE__;
}

# hls_camera(VIDEO, DIRECTORY): a live playlist of segments of two seconds, served
# over HTTP.  What can be suspended and stopped is the web server.
sub hls_camera
{
	my ($video, $directory) = @_;
	my $server = file_server($directory);
	spawn("$PostgreSQL::Test::Utils::log_path/hls.log", qw(ffmpeg -nostdin -v error -re -stream_loop -1 -i), media($video),
		qw(-an -c copy -f hls -hls_time 2 -hls_list_size 5 -hls_flags delete_segments), "$directory/live.m3u8");
	$server->{url} .= '/live.m3u8';
	wait_until(sub { -s "$directory/live.m3u8" }, 30) or die "no playlist in $directory\n";
	return $server;
}

# Serve the files of a directory over HTTP; address is 127.0.0.1 unless told.
sub file_server
{
	my ($directory, $address) = @_;
	$address //= '127.0.0.1';
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $host = $address =~ /:/ ? "[$address]" : $address;
	return new_server('http', "http://$host:$port", $port,
		'/usr/bin/python3', '-m', 'http.server', '--bind', $address, '--directory', $directory, $port);
}

# An HTTP camera of motion JPEG: ffmpeg serves one client, so it is started
# again and again for the next.
sub http_mjpeg_camera
{
	my ($video) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $url = "http://127.0.0.1:$port/video.mjpeg";
	my $script =
		'while :; do setpriv --pdeathsig KILL ffmpeg -nostdin -v error -re -stream_loop -1 -i "$1"'
	  . ' -an -c:v mjpeg -q:v 5 -f mpjpeg -listen 1 "$2"; done';
	return new_server('mjpeg', $url, $port, 'sh', '-c', $script, 'mjpeg', media($video), $url);
}

# Does somebody listen on the port?  Read from the kernel, without connecting.
sub listening
{
	my ($port) = @_;
	my $hex = sprintf('%04X', $port);
	my @lines = map { eval { split /^/, slurp_file($_) } } '/proc/net/tcp', '/proc/net/tcp6';
	return scalar grep { /^\s*\d+: [0-9A-F]+:$hex 0+:0{4} 0A / } @lines;
}

# bad_server(KIND): 'stall' accepts and never says a word, 'garbage' answers
# whatever comes with a megabyte of bytes that mean nothing, 'gone' with HTTP's 410.
sub bad_server
{
	my ($kind) = @_;
	my $socket = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0)
	  or die "listen: $!";
	my $port = $socket->sockport;
	my %answers = (
		garbage => slurp_file(media('garbage.bin')),
		gone => "HTTP/1.0 410 Gone\r\nContent-Length: 0\r\n\r\n",
	);
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		setpgrp();
		misbehave($socket, $answers{$kind});
		POSIX::_exit(0);
	}
	$running{$pid} = 1;
	return bless { name => $kind, port => $port, pid => $pid, url => "rtsp://127.0.0.1:$port/camera" },
	  __PACKAGE__;
}

sub misbehave
{
	my ($socket, $bytes) = @_;
	my $parent = getppid();
	my @held;
	$SIG{PIPE} = 'IGNORE';
	while (getppid() == $parent)
	{
		my $ready = '';
		vec($ready, fileno($socket), 1) = 1;
		next unless select($ready, undef, undef, 1) > 0;
		my $client = $socket->accept or next;
		if (defined $bytes)
		{
			sysread($client, my $request, 4096);
			syswrite($client, $bytes);
			close $client;
		}
		else
		{
			push @held, $client;
		}
	}
	return;
}

END
{
	my $status = $?;
	foreach my $pid (keys %running)
	{
		kill('KILL', -$pid, $pid);
		waitpid($pid, 0);
	}
	$? = $status;
}

1;
