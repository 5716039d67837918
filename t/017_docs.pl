# The examples of the documentation run as they are printed.
use strict;
use warnings;
use lib 't/lib';
use Test::More;
use CctvTest;

my $top = $ENV{CCTV_TOP} || '.';
my $node = cctv_node('docs', conf => "wal_level = logical\n");
$node->start;

foreach my $page (qw(zones schedules rules notifications consuming media models metrics security))
{
	my $text = slurp_file("$top/docs/$page.md");
	my @examples = $text =~ /^```sql\n(.*?)^```$/msg;
	cmp_ok(scalar(@examples), '>', 0, "docs/$page.md has examples");
	$node->safe_psql('postgres', "create database $page");
	$node->safe_psql($page, <<'SQL');
create extension pg_cctv;
select cctv.add_camera('lobby', 'rtsp://192.0.2.7/1'), cctv.add_camera('yard', 'rtsp://192.0.2.7/2');
SQL
	my ($stdout, $stderr);
	my $status = $node->psql($page, "set client_min_messages = error;\n" . join("\n", @examples), stdout => \$stdout, stderr => \$stderr, on_error_stop => 1);
	is($status, 0, "docs/$page.md: they run") or diag($stderr);
}
finish();
