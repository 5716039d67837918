# analyze() with the pictures that people have: every sort of JPEG and PNG, held
# whichever way; and with broken ones and bombs, that cost a refusal and no engine.
use strict;
use warnings;
use lib 't/lib';
use Compress::Zlib qw(compress crc32);
use File::Temp ();
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;

my $node = cctv_node('images');
$node->start;
create_extension($node);
$node->safe_psql('postgres', <<'SQL');
create table pictures (name text primary key, image bytea);
-- What an analysis of the bytes fails with, or 'none'.
create function sqlstate_of(image bytea) returns text language plpgsql as $$
begin
	perform from cctv.analyze(image);
	return 'none';
exception when others then
	return sqlstate;
end $$;
SQL
# A camera keeps the engine up: one that serves requests alone ends when idle.
add_camera($node, 'keeper', media('vtest.mp4'), detect => 'f', loop => 't');
wait_running($node, 'keeper');
my $directory = $node->basedir;

sub bytes_of
{
	my ($path) = @_;
	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	return <$file>;
}

# Store bytes as a picture.
sub store
{
	my ($name, $bytes) = @_;
	my $path = "$directory/picture";
	open(my $file, '>:raw', $path) or die "$path: $!";
	print {$file} $bytes;
	close $file;
	$node->safe_psql('postgres', "insert into pictures values ('$name', pg_read_binary_file('$path'))");
	return;
}

# A frame of the test video with people in it, as ffmpeg writes it with options.
sub made
{
	my ($file, @options) = @_;
	run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-y', '-ss', 5, '-i', media('vtest.mp4'), '-frames:v', 1, @options, "$directory/$file" ])
	  or BAIL_OUT("ffmpeg cannot make $file");
	return bytes_of("$directory/$file");
}

# A JPEG with EXIF's orientation.
sub oriented
{
	my ($jpeg, $orientation) = @_;
	my $exif = "Exif\0\0MM\0*" . pack('N n n n N n n N', 8, 1, 0x0112, 3, 1, $orientation, 0, 0);
	return substr($jpeg, 0, 2) . "\xff\xe1" . pack('n', length($exif) + 2) . $exif . substr($jpeg, 2);
}

sub chunk
{
	my ($type, $data) = @_;
	return pack('N', length $data) . $type . $data . pack('N', crc32($type . $data));
}

# A PNG with a chunk put in behind its header.
sub with_chunk
{
	my ($png, $type, $data) = @_;
	return substr($png, 0, 33) . chunk($type, $data) . substr($png, 33);
}

# (SQLSTATE or 'none', what was said) of an analysis.
sub analyze
{
	my ($name) = @_;
	my ($stdout, $stderr) = ('', '');
	$node->psql('postgres', "select count(*) from cctv.analyze((select image from pictures where name = '$name'))",
		stdout => \$stdout, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($stderr =~ /ERROR:\s+(\w{5}):/ ? $1 : 'none', $stderr . $stdout);
}

sub memory_of { my ($pid) = @_; return slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 / 1024 : 0 }

#
# Every sort shows the same people
#
my $jpeg = made('people.jpg', '-q:v', 2);
my $png = made('people.png');
store('jpeg', $jpeg);
my $people = sql_value($node, "select count(*) from cctv.analyze((select image from pictures where name = 'jpeg')) where label = 'person' and confidence > 0.5");
cmp_ok($people, '>=', 3, "$people people in the picture");
my ($engine) = engine_pids($node);

# Pass when most of the people are where they were in the first picture.
sub shows_people
{
	my ($name, $test) = @_;
	my $same = sql_value($node, <<"SQL");
select count(*) from cctv.analyze((select image from pictures where name = 'jpeg')) as a
where a.label = 'person' and a.confidence > 0.5 and exists (
	select from cctv.analyze((select image from pictures where name = '$name')) as b
	where b.label = 'person' and abs(a.x - b.x) < 0.03 and abs(a.y - b.y) < 0.03 and abs(a.w - b.w) < 0.03 and abs(a.h - b.h) < 0.05)
SQL
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($same, '>=', $people * 0.6, "$test: $same of $people people where they were");
	return;
}

my %sorts = (
	'JPEG 4:4:4' => made('444.jpg', '-q:v', 2, '-pix_fmt', 'yuvj444p'),
	'JPEG 4:2:2' => made('422.jpg', '-q:v', 2, '-pix_fmt', 'yuvj422p'),
	'grey JPEG' => made('grey.jpg', '-q:v', 2, '-pix_fmt', 'gray'),
	'PNG' => $png,
	'PNG with alpha' => made('rgba.png', '-pix_fmt', 'rgba'),
	'PNG of 16 bits' => made('rgb48.png', '-pix_fmt', 'rgb48be'),
	'grey PNG of 16 bits' => made('gray16.png', '-pix_fmt', 'gray16be'),
	'grey PNG with alpha' => made('ya8.png', '-pix_fmt', 'ya8'),
	'PNG with a palette' => made('pal8.png', '-vf', 'split[a][b];[a]palettegen[p];[b][p]paletteuse', '-pix_fmt', 'pal8'));

# What ffmpeg does not write, the JPEG library does: progressive, and four colours.
my $frame = "$directory/frame.rgb";
run_log([ 'ffmpeg', '-nostdin', '-v', 'error', '-y', '-i', "$directory/people.png", '-f', 'rawvideo', '-pix_fmt', 'rgb24', $frame ]);
my ($width, $height) = jpeg_size("$directory/people.jpg");
my $writer = <<'PYTHON';
import ctypes, sys, numpy
source, target, width, height, kind = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
pixels = numpy.fromfile(source, dtype=numpy.uint8).reshape(height, width, 3)
RGB, CMYK, PROGRESSIVE = 0, 11, 16384
if kind == "cmyk":
    # As Adobe stores it, inverted: black is none, and the others are the light that is left.
    pixels = numpy.concatenate([pixels, numpy.full((height, width, 1), 255, numpy.uint8)], axis=2)
pixels = numpy.ascontiguousarray(pixels)
library = ctypes.CDLL("libturbojpeg.so.0")
library.tjInitCompress.restype = ctypes.c_void_p
out, size = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_ulong()
result = library.tjCompress2(ctypes.c_void_p(library.tjInitCompress()), pixels.ctypes.data_as(ctypes.c_void_p), width, 0,
    height, CMYK if kind == "cmyk" else RGB, ctypes.byref(out), ctypes.byref(size), 0, 95, PROGRESSIVE if kind == "progressive" else 0)
assert result == 0
open(target, "wb").write(ctypes.string_at(out, size.value))
PYTHON
foreach my $kind (qw(progressive cmyk))
{
	run_log([ '/usr/bin/python3', '-c', $writer, $frame, "$directory/$kind.jpg", $width, $height, $kind ])
	  or BAIL_OUT("no $kind JPEG was made");
}
$sorts{'progressive JPEG'} = bytes_of("$directory/progressive.jpg");
$sorts{'JPEG of four colours'} = bytes_of("$directory/cmyk.jpg");

# On its side or its head, with the orientation that says so.
my %turned = (3 => 'hflip,vflip', 6 => 'transpose=2', 8 => 'transpose=1', 2 => 'hflip', 4 => 'vflip');
foreach my $orientation (sort keys %turned)
{
	$sorts{"EXIF's orientation $orientation"} = oriented(made('turned.jpg', '-q:v', 2, '-vf', $turned{$orientation}), $orientation);
}
# Chunks that are of no use.
$sorts{'PNG with a comment'} = with_chunk($png, 'tEXt', "Comment\0" . 'x' x 100_000);
foreach my $name (sort keys %sorts)
{
	store($name =~ s/'/''/gr, $sorts{$name});
	shows_people($name =~ s/'/''/gr, $name);
}

#
# Broken ones
#
store('progressive', $sorts{'progressive JPEG'});
foreach my $name ('jpeg', 'PNG', 'progressive')
{
	is(sql_value($node, "select string_agg(distinct s.state, ' ') from pictures, generate_series(0, 15) as n,"
			  . " sqlstate_of(substr(image, 1, length(image) * n / 16)) as s(state) where name = '$name'"),
		'22P03', "$name, cut off anywhere, is refused as such");
	like(sql_value($node, "select string_agg(distinct s.state, ' ') from pictures, generate_series(1, 30) as n,"
			  . ' sqlstate_of(set_byte(image, length(image) * n / 31, get_byte(image, length(image) * n / 31) # 85)) as s(state)'
			  . " where name = '$name'"),
		qr/^(22P03|54000|none| )+$/, "$name, with a byte changed, is read or refused");
}
is_deeply([ engine_pids($node) ], [$engine], 'by the same engine as ever');

#
# Bombs
#
my $before = memory_of($engine);
my $zeros = compress("\0" x 200_000_000, 9);
my $header = substr($png, 0, 8);
my %bombs = (
	'PNG of 30000 x 30000' => [ $header . chunk('IHDR', pack('NNC5', 30000, 30000, 8, 2, 0, 0, 0)) . chunk('IDAT', $zeros) . chunk('IEND', ''), '54000' ],
	'PNG of 2147483647 x 1' => [ $header . chunk('IHDR', pack('NNC5', 2147483647, 1, 8, 2, 0, 0, 0)) . chunk('IDAT', $zeros) . chunk('IEND', ''), '54000|22P03' ],
	'PNG with 200 MB in a compressed comment' => [ with_chunk($png, 'zTXt', "Comment\0\0$zeros"), 'none' ],
	'PNG with 200 MB in a colour profile' => [ with_chunk($png, 'iCCP', "Profile\0\0$zeros"), 'none' ],
	'PNG with 200 MB in an international comment' => [ with_chunk($png, 'iTXt', "Comment\0\1\0\0\0$zeros"), 'none' ],
	'PNG of 16 x 16 with 200 MB of pixels' => [ $header . chunk('IHDR', pack('NNC5', 16, 16, 8, 2, 0, 0, 0)) . chunk('IDAT', $zeros) . chunk('IEND', ''), 'none|22P03' ],
	'PNG of a thousand empty parts' => [ $header . chunk('IHDR', pack('NNC5', 7000, 7000, 8, 2, 0, 0, 0)) . chunk('IDAT', '') x 1000 . chunk('IEND', ''), '22P03' ],
	'JPEG of 65500 x 65500' => [ $jpeg =~ s/(\xff\xc0\0\x11\x08)..../$1\xff\xdc\xff\xdc/sr, '54000' ],
	'JPEG of 7000 x 7000 with the pixels of a small one' => [ $jpeg =~ s/(\xff\xc0\0\x11\x08)..../$1\x1b\x58\x1b\x58/sr, 'none|22P03' ],
	'JPEG of 0 x 0' => [ $jpeg =~ s/(\xff\xc0\0\x11\x08)..../$1\0\0\0\0/sr, '22P03' ],
	'JPEG that ends after its magic' => [ "\xff\xd8\xff", '22P03' ],
	'JPEG of EXIF alone' => [ oriented("\xff\xd8", 6) x 3, '22P03' ]);
foreach my $name (sort keys %bombs)
{
	my ($bytes, $expected) = @{ $bombs{$name} };
	store($name, $bytes);
	my ($state, $text) = analyze($name);
	like($state, qr/^($expected)$/, "$name: $state") or diag($text);
	like($text, qr/HINT|DETAIL|ERROR:.*\S/, "$name: says why") if $state ne 'none';
}
my $grown = memory_of($engine) - $before;
is_deeply([ engine_pids($node) ], [$engine], 'the same engine has seen them all');
# A picture of 49 megapixels is allowed: 147 MB of pixels, and what turns them.
cmp_ok($grown, '<', 400, sprintf('and has grown by %.0f MB at most meanwhile', $grown));
shows_people('PNG', 'and still sees');
is(sql_value($node, "select restarts from cctv.engine_status"), '0', 'no engine was lost');

finish();
