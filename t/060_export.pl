# Exports: what was recorded, copied into a clip or condensed into a time-lapse;
# how far one has come, its end by cancel, and what is left when it fails.
use strict;
use warnings;
use lib 't/lib';
use Digest::SHA;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('export', conf => "cctv.segment_duration = '3s'\n");
$node->start;
create_extension($node);
my $media = kept_media($node);

sub rows
{
	my ($query) = @_;
	return @{ JSON::PP->new->decode(
			sql_value($node, "select coalesce(json_agg(q), '[]') from ($query) as q")) };
}

sub ffprobe
{
	my ($path, @options) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffprobe -v error -of json), @options, "$media/$path" ], '<', \undef, '>', \$out, '2>', \$err);
	my $seen = eval { JSON::PP->new->decode($out) } || {};
	return { %$seen, error => $err };
}

# The payloads of a file's video, in order.
sub payloads
{
	my ($path) = @_;
	return map { $_->{data_hash} }
	  @{ ffprobe($path, qw(-select_streams v -show_packets -show_data_hash MD5))->{packets} };
}

sub segments
{
	my ($camera) = @_;
	return rows("select r.*, extract(epoch from r.started_at) as t0 from cctv.recordings as r"
		  . " join cctv.cameras as c using (camera_id) where c.name = '$camera' and kind = 'recording' order by started_at, recording_id");
}

sub error_of
{
	my ($query) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', "\\set VERBOSITY verbose\n$query", stdout => \$out, stderr => \$err);
	return $err;
}

# No export has left anything half-made.
sub temporary_files { return grep { /\.tmp$/ } glob("$media/*/*/*"); }

add_camera($node, 'h264', media('vtest.mp4'), record => 'continuous', detect => 'false', loop => 'true');
add_camera($node, 'bframes', media('bframes-aac.mp4'), record => 'continuous', detect => 'false', loop => 'true');
add_camera($node, 'hevc', media('vtest-hevc.mp4'), record => 'continuous', detect => 'false', loop => 'true');
add_camera($node, 'mjpeg', media('vtest.mjpeg.avi'), record => 'continuous', detect => 'false', loop => 'true');
my @cameras = qw(h264 bframes hevc mjpeg);
foreach my $camera (@cameras)
{
	wait_sql($node,
		"select count(*) >= 4 from cctv.recordings as r join cctv.cameras as c using (camera_id)"
		  . " where c.name = '$camera' and r.kind = 'recording' and r.state = 'complete'", "$camera is recorded");
}

# What is being written is in a clip as well.
my ($until_now) = rows("select * from cctv.export_clip('h264', now() - interval '6 s', now())");
cmp_ok(sql_value($node, "select extract(epoch from now() - '$until_now->{ended_at}'::timestamptz) < 15"), 'eq', 't',
	'a clip up to now holds what is still being written');

$node->safe_psql('postgres', "update cctv.cameras set record = 'off'");
# Between two segments none is open either.
wait_sql($node, "select count(*) filter (where state = 'open') = 0 and max(created_at) < now() - interval '5 s' from cctv.recordings",
	'recording has ended');

#
# A clip is what was recorded, packet by packet, from the keyframe before.
#
foreach my $camera (@cameras)
{
	my @segments = segments($camera);
	my $from = "'$segments[0]{started_at}'::timestamptz + interval '1.55 s'";
	my $upto = "'$segments[2]{started_at}'::timestamptz + interval '1.55 s'";
	my ($clip, @more) = rows("select c.*, extract(epoch from c.started_at) as t0, extract(epoch from c.duration) as seconds"
		  . " from cctv.export_clip('$camera', $from, $upto) as c");
	is(scalar @more, 0, "$camera: one file");
	my @recorded = map { payloads($_->{path}) } @segments;
	my @copied = payloads($clip->{path});
	my ($first) = grep { $recorded[$_] eq $copied[0] } 0 .. $#recorded;
	is_deeply(\@copied, [ @recorded[ $first .. $first + $#copied ] ], "$camera: packets follow each other as they were recorded");
	is($clip->{frames}, scalar @copied, "$camera: so many frames, as its row says");
	my $seen = ffprobe($clip->{path}, qw(-show_streams -show_format));
	is($seen->{error}, '', "$camera: it plays without complaint");
	my ($video) = grep { $_->{codec_type} eq 'video' } @{ $seen->{streams} };
	is($video->{start_time} + 0, 0, "$camera: from its beginning");
	cmp_ok(abs($seen->{format}{duration} - $clip->{seconds}), '<', 0.35, "$camera: as long as its row says");
	is(sql_value($node, "select '$clip->{started_at}' <= $from"), 't', "$camera: it begins at a keyframe before");
	cmp_ok(abs(sql_value($node, "select extract(epoch from '$clip->{ended_at}'::timestamptz - ($upto))")), '<', 0.45, "$camera: it ends when asked to");
	is_deeply($clip->{gaps}, [], "$camera: nothing is missing");
	my ($row) = rows("select *, encode(sha256, 'hex') as sum from cctv.recordings where recording_id = $clip->{recording_id}");
	is("$row->{kind} $row->{state} $row->{reason}", 'clip complete manual', "$camera: a row among recordings");
	is(Digest::SHA->new(256)->addfile("$media/$row->{path}", 'b')->hexdigest, $row->{sum}, "$camera: with its checksum");
	is(-s "$media/$row->{path}", $row->{bytes}, "$camera: and size");
	is(sprintf('%o', (stat "$media/$row->{path}")[2] & 07777), '600', "$camera: nobody else's");
	is(sql_value($node, "select cctv.verify($clip->{recording_id})"), 'ok', "$camera: verified");
	is(sql_value($node, "select length(cctv.media($clip->{recording_id}))"), $row->{bytes}, "$camera: its bytes in SQL");
	my ($sound) = grep { $_->{codec_type} eq 'audio' } @{ $seen->{streams} };
	if ($camera eq 'bframes')
	{
		is($sound->{codec_name}, 'aac', 'sound is kept');
		cmp_ok(abs($sound->{duration} - $clip->{seconds}), '<', 0.5, 'as long as the picture');
	}
	open(my $file, '<:raw', "$media/$row->{path}") or die;
	read($file, my $head, 64);
	like($head, qr/^....ftyp.*moov/s, "$camera: its index comes first");
	close($file);
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(ffmpeg -v error -i), "$media/$row->{path}", qw(-f null -) ], '<', \undef, '>', \$out, '2>', \$err);
	is($err, '', "$camera: every frame can be decoded");
}

#
# Gaps
#
my @h264 = segments('h264');
my ($begin, $end) = ($h264[0]{started_at}, $h264[3]{ended_at});
my ($out, $err);
rename("$media/$h264[1]{path}", "$media/$h264[1]{path}.away") or die;
$node->psql('postgres', "select gaps from cctv.export_clip('h264', '$begin'::timestamptz - interval '5 s', '$end')",
	stdout => \$out, stderr => \$err);
like($err, qr/NOTICE:  2 stretches of the time asked for are not in the clip/, 'gaps: a notice');
my $gaps = JSON::PP->new->decode($out);
is(join(', ', map { $_->{why} } @$gaps), 'not recorded, file is missing', 'gaps: each with its reason');
is($gaps->[0]{position}, 0, 'gaps: the first lies before the clip');
cmp_ok(abs($gaps->[1]{position} - 3), '<', 0.2, 'gaps: the second one after three seconds of it');
is(sql_value($node, "select '$gaps->[1]{from}'::timestamptz = '$h264[1]{started_at}' and '$gaps->[1]{upto}'::timestamptz = '$h264[1]{ended_at}'"),
	't', 'gaps: from when to when');
is(sql_value($node, "select count(*) from cctv.v_recordings where kind = 'clip' and camera = 'h264' and abs(duration_s - 9) < 0.2"), '1',
	'gaps: nothing stands for them in the clip');
rename("$media/$h264[1]{path}.away", "$media/$h264[1]{path}") or die;

# A file that is cut off half-way gives what there is of it.
my $whole = slurp_file("$media/$h264[1]{path}");
truncate("$media/$h264[1]{path}", length($whole) / 2) or die;
my ($cut) = rows("select * from cctv.export_clip('h264', '$begin', '$end')");
is(join(', ', map { $_->{why} } @{ $cut->{gaps} }), 'file is damaged', 'a damaged file is told');
cmp_ok($cut->{frames}, '>', 90, 'and what is whole of it is there');
open(my $mended, '>:raw', "$media/$h264[1]{path}") or die;
print $mended $whole;
close($mended);

# A row that nobody has completed yet, as after a restart, ends where the next begins.
sub with_open
{
	my ($query) = @_;
	return sql_value($node, "begin; update cctv.recordings set state = 'open', ended_at = null, duration = null, frames = null,"
		  . " bytes = null where recording_id = $h264[1]{recording_id}; $query; rollback");
}
is(with_open("select started_at >= '$h264[2]{started_at}' and gaps = '[]'"
		  . " from cctv.export_clip('h264', '$h264[3]{started_at}'::timestamptz - interval '50 ms', '$end')"),
	't', 'a file that was left open is not taken for what came after it');
is(with_open("select gaps = '[]' from cctv.export_clip('h264', '$begin', '$end')"), 't', 'but is in its place');

# Another codec or picture size needs another file.
my $last = $h264[-1]{ended_at};
my ($one, $other) = map { sql_value($node, "select camera_id from cctv.cameras where name = '$_'") } qw(h264 mjpeg);
$node->safe_psql('postgres', <<"SQL");
insert into cctv.recordings (camera_id, kind, state, path, reason, started_at, ended_at, frames, bytes)
	select $one, kind, state, path || '.x', reason, '$last', '$last'::timestamptz + (ended_at - started_at), frames, bytes
	from cctv.recordings where camera_id = $other and kind = 'recording' order by started_at limit 1;
SQL
my ($borrowed) = rows("select path from cctv.recordings where camera_id = $one and path like '%.x'");
link("$media/" . $borrowed->{path} =~ s/\.x$//r, "$media/$borrowed->{path}") or die;
my @two = rows("select * from cctv.export_clip('h264', '$begin', '$last'::timestamptz + interval '2 s')");
is(join(' ', map { sql_value($node, "select codec from cctv.recordings where recording_id = $_->{recording_id}") } @two), 'h264 mjpeg', 'another codec: another file');
is($two[1]{started_at}, $two[0]{ended_at}, 'which begins where the first one ends');
$node->safe_psql('postgres', "delete from cctv.recordings where path like '%.x'");

#
# What cannot be
#
like(error_of("select cctv.export_clip('h264', '2001-01-01', '2001-01-02')"),
	qr/P0002: nothing was recorded of camera "h264".*Its recordings begin at/s, 'nothing recorded: an error with what there is');
like(error_of("select cctv.export_clip('nobody', '2001-01-01', '2001-01-02')"), qr/42704: camera "nobody" does not exist/, 'no such camera');
like(error_of("select cctv.export_clip(4711, '2001-01-01', '2001-01-02')"), qr/42704: camera 4711 does not exist/, 'no such number');
like(error_of("select cctv.export_clip('h264', '$end', '$begin')"), qr/22023: an export needs a beginning and a later end/, 'backwards');
like(error_of("begin read only; select cctv.export_clip('h264', '$begin', '$end')"), qr/25006: cannot execute an export of recordings in a read-only/,
	'in a read-only transaction');
like(error_of("select cctv.export_clip('h264', '-infinity', 'infinity')"), qr/22023/, 'without an end');
like(error_of("select cctv.export_timelapse('h264', '$begin', '$end', every => '0 s')"), qr/22023: every must be/, 'no interval');
like(error_of("select cctv.export_timelapse('h264', '$begin', '$end', fps => 0)"), qr/22023: fps must be/, 'no rate');

# A row of the same statement is seen.
is(sql_value($node, "select bool_and(cctv.verify(recording_id) = 'ok' and length(cctv.media(recording_id)) = bytes"
	  . " and length(cctv.thumbnail(recording_id)) > 1000) from cctv.export_clip('h264', '$begin', '$end')"), 't',
	'exported and read in one statement');

# Its file is deleted by hand: the next one has its name, and its row.
my $first = sql_value($node, "select path from cctv.export_clip('h264', '$begin', '$end')");
unlink("$media/$first") or die;
is(sql_value($node, "select path || ' ' || cctv.verify(recording_id) from cctv.export_clip('h264', '$begin', '$end')"), "$first ok",
	'a name is used again when its file has gone');

# A rollback takes the file along.
my %before = map { $_ => 1 } glob("$media/*/*/*");
$node->safe_psql('postgres', "begin; select cctv.export_clip('h264', '$begin', '$end'); savepoint s;"
	  . " select cctv.export_clip('h264', '$begin', '$end'); rollback to s; rollback");
is_deeply([ grep { !$before{$_} } glob("$media/*/*/*") ], [], 'rolled back: no file is left');
$node->safe_psql('postgres', "begin; select cctv.export_clip('h264', '$begin', '$end'); savepoint s;"
	  . " select cctv.export_clip('h264', '$begin', '$end'); rollback to s; commit");
is(scalar(grep { !$before{$_} } glob("$media/*/*/*")), 1, 'rolled back to a savepoint: the other one stays');

#
# A time-lapse
#
my ($t0, $t1) = map { $_->{t} } rows("select unnest(array[min(started_at), max(ended_at)]) as t from cctv.recordings as r join cctv.cameras as c using (camera_id) where c.name = 'hevc' and kind = 'recording'");
my $made = sql_value($node, "select recording_id from cctv.export_timelapse('hevc', '$t0', '$t1', every => '1 s', fps => 10, max_width => 321)");
my ($lapse) = rows("select *, extract(epoch from duration) as seconds from cctv.recordings where recording_id = $made");
my $expected = sql_value($node, "select ceil(extract(epoch from '$t1'::timestamptz - '$t0'))");
cmp_ok(abs($lapse->{frames} - $expected), '<=', 1, 'time-lapse: a frame a second');
cmp_ok(abs($lapse->{seconds} - $lapse->{frames} / 10), '<', 0.01, 'time-lapse: ten of them a second');
my $film = ffprobe($lapse->{path}, qw(-count_frames -show_streams));
is("$film->{streams}[0]{codec_name} $film->{streams}[0]{width}x$film->{streams}[0]{height} $film->{streams}[0]{nb_read_frames}",
	"h264 320x240 $lapse->{frames}", 'time-lapse: H.264, as wide as asked for');
is("$lapse->{kind} $lapse->{codec}", 'timelapse h264', 'time-lapse: a row');

#
# Progress, and the end of an export: the same files under many names are much to decode.
#
my $names = 0;
foreach my $copy (1 .. 40)
{
	foreach my $segment (@h264[ 0 .. 3 ])
	{
		my $name = $segment->{path} =~ s/\.mp4$/-$copy.mp4/r;
		link("$media/$segment->{path}", "$media/$name") or die;
		$names++;
	}
}
$node->safe_psql('postgres', <<"SQL");
insert into cctv.recordings (camera_id, kind, state, path, reason, started_at, ended_at, frames, bytes)
	select camera_id, kind, state, replace(path, '.mp4', '-' || n || '.mp4'), reason, started_at + n * interval '1 day',
		ended_at + n * interval '1 day', frames, bytes
	from cctv.recordings, generate_series(1, 40) as n
	where camera_id = $one and kind = 'recording' and started_at between '$begin' and '$h264[3]{started_at}';
SQL
my $slow = "select cctv.export_timelapse('h264', '$begin', '$end'::timestamptz + interval '41 days', every => '50 ms')";
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, "\\echo begun\n$slow;\n");
wait_sql($node, "select kind = 'timelapse' and phase = 'reading' and camera_id = $one and datname = 'postgres' and segments_total >= $names"
	  . " and segments_done > 0 and bytes_done between 1 and bytes_total and frames > 0 from cctv.stat_progress_export",
	'progress: seen from another session');
my $done = sql_value($node, 'select segments_done from cctv.stat_progress_export');
wait_sql($node, "select segments_done > $done from cctv.stat_progress_export", 'progress: it goes on');
$node->safe_psql('postgres', 'create role stranger; grant cctv_viewer to stranger');
is(sql_value($node, 'set role stranger; select count(*) from cctv.stat_progress_export'), '0', 'progress: not for everybody');
is(scalar temporary_files(), 1, 'a file is being made');
is(sql_value($node, 'select bool_and(pg_cancel_backend(pid)) from cctv.stat_progress_export'), 't', 'cancelled');
wait_sql($node, 'select count(*) = 0 from cctv.stat_progress_export', 'cancelled: it is no longer shown');
ok(wait_until(sub { !temporary_files() }), 'cancelled: the engine stops, and nothing is left');
like($session->query('select 1'), qr/1/, 'cancelled: the session goes on') if $session->can('query');
$session->quit;

like(error_of("set statement_timeout = '1s'; $slow"), qr/57014: canceling statement due to statement timeout/, 'a statement_timeout ends one, too');
ok(wait_until(sub { !temporary_files() }), 'nothing is left of it');

# An engine that dies takes its export along, with an error that says so.
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, "\\echo begun\n$slow;\n");
wait_sql($node, 'select segments_done > 0 from cctv.stat_progress_export', 'another one runs');
kill('KILL', engine_pids($node));
wait_sql($node, 'select count(*) = 0 from cctv.stat_progress_export', 'its engine is killed: it ends');
$session->quit;
wait_sql($node, "select count(*) > 0 from cctv.export_clip('h264', '$begin', '$end')", 'the next engine makes the next export');

#
# Pictures of what is kept
#
my $picture = $node->basedir . '/picture.jpg';
sub save_picture
{
	my ($query, $role) = @_;
	open(my $file, '>:raw', $picture) or die;
	print $file pack('H*', sql_value($node, ($role ? "set role $role; " : '') . "select encode($query, 'hex')"));
	close($file);
	return join('x', jpeg_size($picture));
}
is(save_picture("cctv.thumbnail($h264[0]{recording_id})"), '320x240', 'thumbnail of a recording');
is(save_picture("cctv.thumbnail($lapse->{recording_id}, 100)"), '100x75', 'thumbnail of a time-lapse');
like(error_of('select cctv.thumbnail(99999)'), qr/42704: recording 99999 does not exist/, 'thumbnail of nothing');
like(error_of("select cctv.thumbnail($h264[0]{recording_id}, 3)"), qr/22023/, 'too small a one');
like(error_of("set role stranger; select cctv.thumbnail($h264[0]{recording_id})"), qr/42704: recording \d+ does not exist/,
	'a thumbnail not for whoever may not see the row');
like(error_of("set role stranger; select cctv.export_clip($one, '$begin', '$end')"), qr/42501/, 'nor a clip');
$node->safe_psql('postgres', "grant cctv_operator to stranger; select cctv.grant_camera('h264', 'stranger', 'view')");
like(error_of("set role stranger; select cctv.export_clip('h264', '$begin', '$end')"), qr/42501: permission denied to export/,
	'who may only see a camera exports nothing');
$node->safe_psql('postgres', "select cctv.grant_camera('h264', 'stranger', 'operate')");
is(sql_value($node, "set role stranger; select bool_and(cctv.verify(recording_id) = 'ok') from cctv.export_clip('h264', '$begin', '$end')"), 't',
	'who may operate it does');
is(save_picture("cctv.thumbnail($h264[0]{recording_id})", 'stranger'), '320x240', 'and has thumbnails');

add_camera($node, 'alarmed', media('vtest.mp4'), loop => 'true');
wait_sql($node, "select count(*) > 0 from cctv.recordings where kind = 'snapshot' and alert_id is not null", 'a picture of an alert');
my $alert = sql_value($node, "select alert_id from cctv.recordings where kind = 'snapshot' and alert_id is not null limit 1");
is(save_picture("cctv.snapshot($alert)"), '768x576', 'picture of an alert');
is(save_picture("cctv.snapshot($alert, 200)"), '200x150', 'a small one');

# What is private is black, also where it was recorded.
$node->safe_psql('postgres', "select cctv.add_zone('h264', 'door', '{{0,0},{1,0},{1,1},{0,1}}', kind => 'privacy')");
is(save_picture("cctv.thumbnail($h264[0]{recording_id})"), '320x240', 'private: a picture all the same');
my ($gray) = ('');
IPC::Run::run([ qw(ffmpeg -v error -i), $picture, qw(-f rawvideo -pix_fmt gray -) ], '<', \undef, '>', \$gray);
cmp_ok((sort { $b <=> $a } unpack('C*', $gray))[0], '<', 30, 'private: black');

# A camera that was removed is exported by its number, as long as its recordings are there.
my $gone = sql_value($node, "select camera_id from cctv.cameras where name = 'hevc'");
$node->safe_psql('postgres', "select cctv.remove_camera('hevc')");
is(sql_value($node, "select count(*) from cctv.export_clip($gone, '$t0', '$t1')"), '1', 'a removed camera has recordings');
like(error_of("select cctv.export_clip('hevc', '$t0', '$t1')"), qr/42704: camera "hevc" does not exist/, 'a removed camera has no name');

finish();
