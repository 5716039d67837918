# Objects that count: by their size, their shape, and how sure the models are.

use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;

my $node = cctv_node('filters');
$node->start;
create_extension($node);
my @fast = (realtime => 'false', loop => 'false', file_start => '2026-03-01 12:00:00+00');
my $sizes = q{select count(*), min(w * h), max(w * h), min(w * 768 / (h * 576)), max(w * 768 / (h * 576))
	from cctv.detections join cctv.cameras using (camera_id) where name = '%s'};

sub sizes_of { return split(/\|/, sql_value($node, sprintf($sizes, $_[0]))) }

# Play a clip with what is given; the numbers of its detections.
sub play
{
	my ($name, $settings) = @_;
	add_camera($node, $name, media('bframes-aac.mp4'), @fast, start => 0);
	$node->safe_psql('postgres', "update cctv.cameras set $settings, enabled = true where name = '$name'");
	wait_state($node, $name, 'finished', "$name is played", within => 180);
	return sizes_of($name);
}

sub fails_to_set
{
	my ($settings, $message) = @_;
	my ($result, undef, $said) = $node->psql('postgres', "update cctv.cameras set $settings where name = 'all'");
	isnt($result, 0, "$settings is refused");
	like($said, $message, 'in words');
	return;
}

my ($n, $least, $most, $narrow, $wide) = play('all', 'min_area = null');
cmp_ok($n, '>', 50, 'without a filter there are objects');
my $middle = ($least + $most) / 2;
my $shape = ($narrow + $wide) / 2;

my @large = play('large', "min_area = $middle");
cmp_ok($large[0], '>', 0, 'some are large');
cmp_ok($large[0], '<', $n, 'not all');
cmp_ok($large[1], '>=', $middle * 0.999, 'no smaller one is reported');
my @small = play('small', "max_area = $middle");
cmp_ok($small[0], '>', 0, 'some are small');
cmp_ok($small[2], '<=', $middle * 1.001, 'no larger one is reported');
my @narrow = play('narrow', "max_aspect = $shape");
cmp_ok($narrow[0], '>', 0, 'some are narrow');
cmp_ok($narrow[4], '<=', $shape * 1.001, 'no wider one is reported');
my @wide = play('wide', "min_aspect = $shape");
cmp_ok($wide[0], '<', $n, 'some are not wide');
ok($wide[0] == 0 || $wide[3] >= $shape * 0.999, 'no narrower one is reported');

my @unsure = play('unsure', 'median_confidence = 1');
is($unsure[0], '0', 'nobody is that sure');
my @sure = play('sure', 'median_confidence = 0.65');
cmp_ok($sure[0], '>', 0, 'some are convincing');
cmp_ok(sql_value($node, q{select count(*) from cctv.tracks join cctv.cameras using (camera_id) where name = 'sure'}),
	'<', sql_value($node, q{select count(*) from cctv.tracks join cctv.cameras using (camera_id) where name = 'all'}), 'not all');

fails_to_set('min_area = 2', qr/min_area and max_area must be/);
fails_to_set('min_area = 0.5, max_area = 0.1', qr/the first not above the second/);
fails_to_set("min_aspect = 'NaN'", qr/min_aspect and max_aspect must be/);
fails_to_set('max_aspect = 0', qr/min_aspect and max_aspect must be/);
fails_to_set('median_confidence = -0.1', qr/median_confidence must be null, for none, or from 0 to 1/);

finish();
