# ALTER EXTENSION pg_cctv UPDATE.  Every release that had an install script kept in
# test/update is installed, filled, updated with the scripts that are shipped, and
# compared with a fresh install, object by object.  That this notices what an update
# forgets is seen with releases made up here.
use strict;
use warnings;
use lib 't/lib';
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Test::More;
use CctvTest;
use CameraServers;

# An installation of our own: a copy of the programs, and links to what they need
# but the directory of extensions, in which this test writes.
sub private_install
{
	my ($bindir, $sharedir, $libdir) = map { my ($path) = run_command([ 'pg_config', $_ ]); $path } qw(--bindir --sharedir --pkglibdir);
	my $prefix = "$PostgreSQL::Test::Utils::tmp_check/install";
	system('mkdir', '-p', $prefix . $bindir, $prefix . $sharedir, $prefix . $libdir) == 0 or die 'mkdir';
	system("cp -L $bindir/* $prefix$bindir/ && cp -r $sharedir/extension $prefix$sharedir/") == 0 or die 'cp';
	symlink($_, $prefix . $_) foreach glob("$libdir/*"), grep { !m{/extension$} } glob("$sharedir/*");
	return ($prefix . $bindir =~ s{/bin$}{}r, "$prefix$sharedir/extension");
}

my ($install, $extensions) = private_install();
my ($current) = slurp_file("$extensions/pg_cctv.control") =~ /default_version = '(.*)'/;
my $script = slurp_file("$extensions/pg_cctv--$current.sql");

sub write_script
{
	my ($name, $text) = @_;
	open(my $file, '>', "$extensions/$name") or die "$name: $!";
	print {$file} $text;
	close $file;
	return;
}

# A release before this one, in which an argument of a function was called otherwise,
# a function was missing and another was there.  An argument cannot be renamed: the
# function must be dropped, and with it go its comment and privileges.
my ($set_fps) = $script =~ /^(create function cctv\.set_fps\(camera integer, fps real\).*?^\$\$;\ncomment on function .*?;\n)/ms;
my ($parse_days) = $script =~ /^(create function cctv\.parse_days\(.*?^\$\$;\ncomment on function .*?;\n)/ms;
ok($set_fps && $parse_days, 'the functions that the older release had otherwise');
my $old = $script;
$old =~ s/\Q$set_fps\E/$set_fps =~ s{fps real}{rate real}r =~ s{= fps}{= rate}r/e;
$old .= "create function cctv.forgotten() returns integer language sql as 'select 1';\n";
write_script('pg_cctv--0.0.1.sql', $old);
write_script('pg_cctv--0.0.2.sql', $old);
my $update = <<"SQL";
drop function cctv.set_fps(integer, real);
$set_fps
revoke all on function cctv.set_fps(integer, real) from public;
drop function cctv.forgotten();
SQL
my ($granted) = grep { $script =~ /grant execute on function[^;]*cctv\.set_fps\(integer, real\)[^;]*to $_;/s } qw(cctv_operator cctv_viewer cctv_admin);
ok($granted, 'set_fps is granted to a role');
write_script("pg_cctv--0.0.1--$current.sql", "${update}grant execute on function cctv.set_fps(integer, real) to $granted;\n");
write_script("pg_cctv--0.0.2--$current.sql", $update);

# Releases there were.
my $kept = ($ENV{CCTV_TOP} || '.') . '/test/update';
my @releases = map { m{pg_cctv--([\d.]+)\.sql$} ? $1 : () } glob("$kept/pg_cctv--*.sql");
copy("$kept/pg_cctv--$_.sql", "$extensions/pg_cctv--$_.sql") foreach @releases;

my $node = cctv_node('update', install => $install, databases => 'updated');
$node->start;
create_extension($node, 'postgres');
my $fresh = catalog_of($node, 'postgres');
cmp_ok(scalar @$fresh, '>', 500, scalar(@$fresh) . ' facts of a fresh install');

#
# An update with a camera
#
my $server = rtsp_camera('vtest.mp4');
$node->safe_psql('postgres', 'create database updated');
$node->safe_psql('updated', "create extension pg_cctv version '0.0.1'");
isnt(join("\n", @{ catalog_of($node, 'updated') }), join("\n", @$fresh), 'the older release was another');
add_camera($node, 'lobby', $server->url, database => 'updated');
ok(wait_until(sub { log_since($node) =~ /pg_cctv worker is waiting: .*0\.0\.1.*\n.*HINT:.*ALTER EXTENSION pg_cctv UPDATE/ }),
	'the worker waits, and says what for') or diag(log_since($node));
is(scalar(engine_pids($node)), 0, 'nothing runs meanwhile');
my $rows = rows_of($node, 'updated');
$node->safe_psql('updated', 'alter extension pg_cctv update');
is_deeply(catalog_of($node, 'updated'), $fresh, 'updated is as fresh');
wait_running($node, 'lobby', database => 'updated');
wait_sql($node, 'select count(*) > 0 from cctv.detections', 'and sees', database => 'updated');
is(sql_value($node, "select count(*) from cctv.cameras", 'updated'), '1', 'the camera of before');
$node->safe_psql('updated', 'select cctv.set_fps(camera => 1, fps => 3)');
my ($stdout, $stderr) = ('', '');
$node->psql('updated', 'select cctv.set_fps(camera => 1, rate => 3)', stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/function cctv\.set_fps\(camera => integer, rate => integer\) does not exist/, 'the old signature is gone');

#
# One that forgets a privilege
#
$node->safe_psql('postgres', 'create database forgetful');
$node->safe_psql('forgetful', "create extension pg_cctv version '0.0.2'; alter extension pg_cctv update");
my %fresh = map { $_ => 1 } @$fresh;
my @differs = grep { !$fresh{$_} } @{ catalog_of($node, 'forgetful') };
is(scalar @differs, 1, 'a forgotten privilege is noticed');
like($differs[0], qr/^function cctv\.set_fps\(integer,real\)/, 'where it is missing');

#
# What was released
#
note('no release has an install script in test/update yet') unless @releases;
foreach my $release (@releases)
{
	(my $database = "release_$release") =~ tr/./_/;
	$node->safe_psql('postgres', "create database $database");
	$node->safe_psql($database, "create extension pg_cctv version '$release'; alter extension pg_cctv update");
	is_deeply(catalog_of($node, $database), $fresh, "$release updated is as $current");
}

finish();
