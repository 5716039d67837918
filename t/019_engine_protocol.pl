# The engine as the worker knows it: a socket, and desired states over it.
use strict;
use warnings;
use lib 't/lib';
use IO::Select;
use JSON::PP;
use POSIX ();
use Socket;
use Test::More;
use CctvTest;

my ($bindir) = split /\n/, `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --bindir`;
my ($sharedir) = split /\n/, `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --sharedir`;
my $json = JSON::PP->new->utf8->canonical;
my $media = PostgreSQL::Test::Utils::tempdir();
my ($pid, $socket, $pending);

# Start an engine as the worker does: descriptor 3 is the socket, 4 the note.
sub start_engine
{
	socketpair($socket, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
	$pending = '';
	$pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open(my $note, '+>', undef) or POSIX::_exit(126);
		# By way of high numbers: 3 or 4 may be among what we have.
		POSIX::dup2(fileno($theirs), 30);
		POSIX::dup2(fileno($note), 31);
		POSIX::dup2(30, 3);
		POSIX::dup2(31, 4);
		POSIX::close($_) foreach 5 .. 63;
		%ENV = (ORT_DISABLE_TELEMETRY => 1);
		exec { "$bindir/pg_cctv_engine" } 'pg_cctv_engine', '--worker' or POSIX::_exit(127);
	}
	close $theirs;
	return;
}

sub camera
{
	my ($id, %fields) = @_;
	return {
		camera_id => $id, run => 1, name => "camera $id", url => media('vtest.mp4'), detect_url => undef,
		username => undef, password => undef, rtsp_transport => 'tcp', detect => JSON::PP::false,
		detect_fps => 5, models => ['objects'], labels => ['person'], min_confidence => 0.5,
		motion_threshold => 20, motion_min_area => 0.0005, snapshots => JSON::PP::false,
		realtime => JSON::PP::true, loop => JSON::PP::true, file_start => undef, %fields
	};
}

sub state_line
{
	my @cameras = @_;
	return $json->encode(
		{
			settings => {
				models_dir => "$sharedir/pg_cctv/models", media_dir => $media, source_paths => [ media_dir() ],
				detector_threads => 1, stall_timeout => 10, log_level => 'info', sandbox => JSON::PP::true,
				memory_limit => 0, nice => 0
			},
			models => [
				{
					name => 'objects', kind => 'efficientdet', file => 'efficientdet-lite1.onnx', runtime => 'auto',
					input_width => 384, input_height => 384, labels => [qw(person bicycle car motorcycle bus truck bird cat dog)],
					min_confidence => 0.3, nms_iou => 0.5, options => {}
				}
			],
			cameras => \@cameras
		}) . "\n";
}

# Read event lines until one satisfies the condition; undef when none does in time.
sub event_where
{
	my ($condition, $seconds) = @_;
	my $select = IO::Select->new($socket);
	my $end = time + ($seconds // 20);
	while (time <= $end)
	{
		while ($pending =~ s/\A([^\n]*)\n//)
		{
			my $event = eval { $json->decode($1) } or return;
			return $event if $condition->($event);
		}
		next unless $select->can_read(1);
		sysread($socket, $pending, 65536, length $pending) or return;
	}
	return;
}

# Wait until each of these cameras has said that it runs; in whatever order.
sub run
{
	my %waited = map { $_ => 1 } @_;
	event_where(
		sub {
			my ($event) = @_;
			delete $waited{ $event->{camera_id} } if $event->{type} eq 'state' && $event->{state} eq 'running';
			return !%waited;
		});
	diag('not running: ' . join(' ', sort keys %waited)) if %waited;
	return !%waited;
}

sub ends
{
	my $status;
	wait_until(sub { $status = $? if waitpid($pid, POSIX::WNOHANG) == $pid; return defined $status }, 15);
	kill('KILL', $pid) unless defined $status;
	return $status;
}

# States that come faster than the engine starts: the last one counts.
start_engine();
syswrite($socket, state_line(camera(1)) . state_line(camera(1), camera(2)) . state_line(map { camera($_) } 1 .. 3));
ok(run(1 .. 3), 'the cameras of the last of three states run');

# Cut anywhere, a state is still one.
my $line = state_line(map { camera($_) } 1 .. 4);
foreach my $piece (substr($line, 0, 1), substr($line, 1, 700))
{
	syswrite($socket, $piece);
	ok(event_where(sub { $_[0]{type} eq 'stats' && !$_[0]{camera_id} }), 'a heartbeat meanwhile');
}
syswrite($socket, substr($line, 701));
ok(run(4), 'camera 4 of a state in three pieces runs');

# What makes no sense is said and changes nothing.
syswrite($socket, "nonsense\n");
ok(event_where(sub { $_[0]{type} eq 'log' && $_[0]{level} eq 'error' }), 'nonsense is an error in the log');
ok(event_where(sub { $_[0]{type} eq 'stats' && ($_[0]{camera_id} // 0) == 4 }), 'and the cameras run on');

# A camera that is not in the state any more stops.
syswrite($socket, state_line(camera(2)));
my %seen;
ok(event_where(sub { $_[0]{type} eq 'stats' && ($_[0]{camera_id} // 0) == 2 }), 'camera 2 runs on');
event_where(sub { $seen{ $_[0]{camera_id} }++ if $_[0]{type} eq 'stats' && $_[0]{camera_id}; return ($seen{2} // 0) >= 2 });
is(join(' ', sort keys %seen), '2', 'the others have stopped');

# The end of the socket ends the engine, and so does SIGTERM.
close $socket;
is(ends(), 0, 'the end of the socket ends it');
start_engine();
syswrite($socket, state_line(camera(1)));
ok(run(1), 'another');
kill('TERM', $pid);
is(ends(), 0, 'SIGTERM ends it');
start_engine();
syswrite($socket, "nonsense\n");
isnt(ends(), 0, 'one that is told nonsense at first ends with an error');
start_engine();
close $socket;
isnt(ends(), undef, 'one whose worker is gone at once ends');

done_testing();
