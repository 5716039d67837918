# Pictures as people have them: a photograph that lies on its side, and a camera
# that has single pictures but no stream.
use strict;
use warnings;
use lib 't/lib';
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

my $node = cctv_node('photographs');
$node->start;
create_extension($node);

#
# EXIF
#
my $directory = $node->basedir;
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-ss', 5, '-i', media('vtest.mp4'), '-frames:v', 1, '-q:v', 2, "$directory/upright.jpg" ])
  or BAIL_OUT('ffmpeg cannot make a picture');
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-i', "$directory/upright.jpg", '-vf', 'transpose=2', '-q:v', 2, "$directory/lying.jpg" ]);

# EXIF with an orientation alone, as the first segment.
my $jpeg = slurp_file("$directory/lying.jpg");
my $exif = pack('a6 a2 n N n n n N n n N', "Exif\0\0", 'MM', 42, 8, 1, 0x0112, 3, 1, 6, 0, 0);
open(my $file, '>:raw', "$directory/turned.jpg") or die $!;
print $file substr($jpeg, 0, 2), pack('n n', 0xffe1, 2 + length $exif), $exif, substr($jpeg, 2);
close $file;

$node->safe_psql('postgres', <<"SQL");
create table people as
select p.name, o.*
from unnest('{upright,lying,turned}'::text[]) as p (name),
	cctv.analyze(pg_read_binary_file(format('$directory/%s.jpg', p.name))) as o
where o.label = 'person' and o.confidence > 0.5
SQL
my $upright = sql_value($node, "select count(*) from people where name = 'upright'");
cmp_ok($upright, '>=', 3, "$upright people in an upright picture");
cmp_ok(sql_value($node, "select count(*) from people where name = 'lying'"), '<', $upright, 'fewer when it lies on its side');
my $same = sql_value($node, <<'SQL');
select count(*) from people as a join people as b on abs(a.x - b.x) + abs(a.y - b.y) + abs(a.w - b.w) + abs(a.h - b.h) < 0.05
where a.name = 'upright' and b.name = 'turned'
SQL
cmp_ok($same, '>=', $upright - 1, 'but EXIF says how to hold it: the same people in the same places');

#
# A camera of single pictures
#
mkdir "$directory/still";
rename "$directory/upright.jpg", "$directory/still/snapshot.jpg" or die $!;
my $server = file_server("$directory/still");
my $address = '127.0.0.1:' . $server->port;
is(sql_value($node, "select still || ' ' || url from cctv.probe('$address')"), 'true ' . $server->url . '/snapshot.jpg', 'probe finds the picture');
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', "select cctv.add_camera('still', '$address')", stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/only single pictures were found at "\Q$address\E"/, 'which is no camera');
like($stderr, qr/HINT:.*cctv\.analyze/, 'and a hint says what it is good for');
add_camera($node, 'still', $server->url . '/snapshot.jpg');
wait_state($node, 'still', 'error');
like(sql_value($node, "select message from cctv.status where camera = 'still'"), qr/not a video stream/, 'its URL as a camera: an error that says so');

$node->psql('postgres', "select * from cctv.probe('127.0.0.1:1')", stderr => \$stderr);
like($stderr, qr/HINT:.*whole URL/, 'where nothing is found, a hint');

finish();
