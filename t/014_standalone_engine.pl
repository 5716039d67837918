# The engine by itself: an ordinary program that prints event lines.
use strict;
use warnings;
use lib 't/lib';
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

my ($bindir) = split /\n/, `@{[ $ENV{PG_CONFIG} || 'pg_config' ]} --bindir`;
my $engine = "$bindir/pg_cctv_engine";

sub run_engine
{
	my @arguments = @_;
	my ($stdout, $stderr) = ('', '');
	IPC::Run::run([ $engine, @arguments ], '<', \undef, '>', \$stdout, '2>', \$stderr, IPC::Run::timeout(180));
	return ($? >> 8, $? & 127, $stdout, $stderr);
}

# Help and mistakes.
my ($status, $signal, $stdout, $stderr) = run_engine('--help');
is($status, 0, '--help ends with 0');
like($stdout, qr/usage.*--url.*--once.*--config/is, '--help names the options');
is($stderr, '', 'on standard output');
($status, $signal, $stdout, $stderr) = run_engine('--version');
is($status, 0, '--version ends with 0');
like($stdout, qr/\d+\.\d+\.\d+/, 'and tells it');
foreach my $wrong ([], ['--url'], [ '--nonsense', '1' ], [ '--url', 'x', '--config', '{' ], [ '--url', 'x', '--config', '[]' ])
{
	($status, $signal, $stdout, $stderr) = run_engine(@$wrong);
	isnt($status, 0, "'@$wrong' is refused");
	is($signal, 0, "'@$wrong' crashes nothing");
	is($stdout, '', "'@$wrong' prints no event");
	cmp_ok(scalar(split /\n/, $stderr), '<=', 3, "'@$wrong': a line or two say why") or diag($stderr);
	like($stderr, qr/\w/, "'@$wrong': not in silence");
}

# A file, twice: the same lines, apart from ids and wall-clock fields.
sub events
{
	my ($video, @more) = @_;
	my ($exit, $killed, $out, $err) = run_engine('--url', media($video), '--once', @more);
	is($exit, 0, "$video ends with 0") or diag($err);
	is($killed, 0, "$video: no signal");
	my @events = map { JSON::PP->new->utf8->decode($_) } split /\n/, $out;
	return @events;
}

my @runs;
foreach (1, 2)
{
	my @events = events('vtest.mp4', '--config', '{"file_start":"2024-05-01T12:00:00Z"}');
	my @lines;
	foreach my $event (@events)
	{
		next if $event->{type} =~ /^(stats|log)$/;
		delete @{$event}{qw(session decoded_at inference_ms)};
		if ($event->{type} eq 'objects')
		{
			delete $_->{snapshot} foreach @{ $event->{objects} };
		}
		push @lines, JSON::PP->new->canonical->encode($event);
	}
	push @runs, [@lines];

	my @objects = grep { $_->{type} eq 'objects' } @events;
	cmp_ok(scalar @objects, '>', 100, 'hundreds of lines about objects');
	is(scalar(grep { $_->{label} ne 'person' } map { @{ $_->{objects} } } @objects), 0, 'persons, by default');
	my @states = map { $_->{state} } grep { $_->{type} eq 'state' } @events;
	is("@states", 'starting running finished', 'starting, running, finished');
	my @tracks = grep { $_->{type} eq 'track_end' } @events;
	my %begun;
	$begun{ $_->{track} }++ foreach map { @{ $_->{objects} } } @objects;
	is(scalar @tracks, scalar keys %begun, 'every track that begins ends');
	my @seqs = map { $_->{seq} } grep { defined $_->{seq} } @events;
	is(scalar(grep { $seqs[$_] != $seqs[ $_ - 1 ] + 1 } 1 .. $#seqs), 0, 'seq increases by one');
}
my $differs = 0;
foreach my $n (0 .. $#{ $runs[0] })
{
	next if ($runs[1][$n] // '') eq $runs[0][$n];
	diag("line $n:\n$runs[0][$n]\n" . ($runs[1][$n] // 'missing')) if !$differs++;
}
is($differs, 0, 'two runs give the same lines');
is(scalar @{ $runs[1] }, scalar @{ $runs[0] }, 'as many');

# Other codecs, and a change of resolution.
foreach my $video ('vtest-hevc.mp4', 'vtest.mjpeg.avi', 'resolution-change.ts')
{
	my @events = events($video);
	ok((grep { $_->{type} eq 'objects' } @events), "$video: persons");
}

# What is no video.
($status, $signal, $stdout, $stderr) = run_engine('--url', media('garbage.bin'), '--once');
is($signal, 0, 'garbage crashes nothing');
isnt($status, 0, 'garbage is an error');
like("$stdout$stderr", qr/error/i, 'and said so');
($status, $signal, $stdout, $stderr) = run_engine('--url', '/nonexistent.mp4', '--once');
isnt($status, 0, 'a missing file is an error');
like("$stdout$stderr", qr/no such file/i, 'and said so');

# Credentials are not echoed.
($status, $signal, $stdout, $stderr) = run_engine('--url', 'rtsp://viewer:Sesam77@127.0.0.1:9/camera', '--once');
unlike("$stdout$stderr", qr/Sesam77/, 'no password in what it prints');

done_testing();
