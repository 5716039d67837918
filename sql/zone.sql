-- Zones: shapes, what is wrong with them, and the geometry that rules stand on.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
set client_min_messages = warning;
begin;
select cctv.add_camera('lobby', 'rtsp://192.0.2.7/1') as lobby, cctv.add_camera('yard', 'rtsp://192.0.2.7/2') as yard \gset

-- One of each kind, by name and by id.
select cctv.add_zone('lobby', 'desk', '{{0.1,0.1},{0.5,0.1},{0.5,0.5},{0.1,0.5}}') is not null as added;
select cctv.add_zone(:lobby, 'flag', '{{0.8,0},{1,0},{0.9,0.2}}', 'mask') is not null as added;
select cctv.add_zone('lobby', 'window', '{{0,0},{0.2,0},{0,0.2}}', kind => 'privacy') is not null as added;
select cctv.add_zone('lobby', 'door', '{{0,0.5},{0.5,0.6},{1,0.5}}', 'line') is not null as added;
select cctv.add_zone('lobby', 'gate', '{{0,0.5},{1,0.5}}', 'line', 'right_to_left') is not null as added;
select cctv.add_zone('yard', 'desk', '{{0,0},{1,0},{1,1}}') is not null as same_name_elsewhere;
select name, kind, points, direction, shape from cctv.zones where camera_id = :lobby order by name;

-- The first point may be repeated at the end, as GeoJSON does.
select cctv.add_zone('lobby', 'ring', '{{0,0},{1,0},{1,1},{0,0}}') is not null as added;
select points from cctv.zones where camera_id = :lobby and name = 'ring';

-- Pixels.
select cctv.zone_from_pixels('{{0,0},{960,0},{960,540},{0,1080}}', 1920, 1080);
select cctv.zone_from_pixels('{{0,0},{960,0}}', 0, 1080);
select cctv.zone_from_pixels('{0,0,960,0}', 1920, 1080);
select cctv.zone_from_pixels('{{0,0},{1920,0},{1280,1080}}', 1280, 720);

-- What is wrong.
\set VERBOSITY terse
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0},{0,0},{1,0}}');
select cctv.add_zone('lobby', 'x', '{{0,0}}', 'line');
select cctv.add_zone('lobby', 'x', '{{0.5,0.5},{0.5,0.5}}', 'line');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,1},{1,0},{0,1}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{0.5,0.5},{1,1}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0},{0.5,0},{0.5,0.5}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0},{0.5,0.5},{1,1},{0,1},{0.5,0.5}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{0.5,0},{0.5,0},{0.5,0.5}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0},{1,0.5},{0.2,0},{0,0.5}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,1},{1,0},{0,1}}', 'line');
select cctv.add_zone('lobby', 'x', '{{0,0},{1.01,0},{1,1}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{NaN,0},{1,1}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{NULL,0},{1,1}}');
select cctv.add_zone('lobby', 'x', '{{0,0},{1920,0},{1920,1080}}');
select cctv.add_zone('lobby', 'x', '{0,0,1,0,1,1}');
select cctv.add_zone('lobby', 'x', '{{0,0,0},{1,0,0},{1,1,0}}');
select cctv.add_zone('lobby', 'x', '{}');
select cctv.add_zone('lobby', 'x', null);
select cctv.add_zone('lobby', 'x', (select array_agg(array[i / 100.0, 0.5]::real[]) from generate_series(1, 65) as i), 'line');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0},{1,1}}', 'circle');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0},{1,1}}', direction => 'any');
select cctv.add_zone('lobby', 'x', '{{0,0},{1,0}}', 'line', 'up');
select cctv.add_zone('lobby', 'desk', '{{0,0},{1,0},{1,1}}');
select cctv.add_zone('lobby', ' x', '{{0,0},{1,0},{1,1}}');
select cctv.add_zone('nowhere', 'x', '{{0,0},{1,0},{1,1}}');
update cctv.zones set points = '{{0,0},{1,1},{1,0},{0,1}}' where name = 'desk' and camera_id = :lobby;
-- With triggers off the constraint holds the line.
set local session_replication_role = replica;
insert into cctv.zones (camera_id, name, points) values (:lobby, 'x', '{{0,0},{1,1},{1,0},{0,1}}');
set local session_replication_role = origin;

-- In a zone: corners and edges count.
select x, y, shape @> point(x, y) as inside
from cctv.zones, (values (0.3, 0.3), (0.1, 0.1), (0.5, 0.3), (0.3, 0.5), (0.51, 0.3), (0.05, 0.3)) as p (x, y)
where name = 'desk' and camera_id = :lobby;

-- Across a line from left to right: here left is up.
select step, cctv.line_crossing('{{0,0.5},{0.5,0.5},{1,0.5}}', x1, y1, x2, y2)
from (values
	('down', 0.3, 0.4, 0.3, 0.6),
	('up', 0.3, 0.6, 0.3, 0.4),
	('down through the middle point', 0.5, 0.4, 0.5, 0.6),
	('down to the line', 0.3, 0.4, 0.3, 0.5),
	('down from the line', 0.3, 0.5, 0.3, 0.6),
	('along the line', 0.2, 0.5, 0.7, 0.5),
	('along, below it', 0.2, 0.6, 0.7, 0.6),
	('no step', 0.5, 0.5, 0.5, 0.5)) as s (step, x1, y1, x2, y2);
-- Around the end of a line, and over both sides of a wedge.
select cctv.line_crossing('{{0.2,0.5},{0.6,0.5}}', 0.7, 0.4, 0.7, 0.6) as beside,
	cctv.line_crossing('{{0.2,0.2},{0.5,0.8},{0.8,0.2}}', 0.1, 0.4, 0.9, 0.4) as through_a_wedge,
	cctv.line_crossing('{{0.2,0.2},{0.5,0.8},{0.8,0.2}}', 0.1, 0.4, 0.5, 0.4) as into_a_wedge;
-- However a walk is cut into steps, its crossings add up to where it ends.
select bool_and(crossings = case when y_end > 0.5 then 1 else 0 end) as walks_add_up
from (
	select walk, sum(cctv.line_crossing('{{0,0.5},{1,0.5}}', 0.5, y_before, 0.5, y)) as crossings,
		(array_agg(y order by step desc))[1] as y_end
	from (
		select walk, step, y, lag(y, 1, 0.1::float8) over (partition by walk order by step) as y_before
		from (
			select walk, step, 0.5 + (hashint4(walk * 1000 + step) % 4) / 10.0::float8 as y
			from generate_series(1, 50) as walk, generate_series(1, 40) as step) as w) as w
	group by walk) as walks;

select cctv.remove_zone('lobby', 'desk');
select cctv.remove_zone(:lobby, 'gate');
select cctv.remove_zone('lobby', 'desk');
select name from cctv.zones where camera_id = :lobby order by name;
-- Zones go with the row of their camera.
delete from cctv.cameras where camera_id = :lobby;
select count(*) from cctv.zones where camera_id = :lobby;
rollback;
