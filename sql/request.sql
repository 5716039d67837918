-- What is asked of an engine: arguments that make no sense need none.
\set SHOW_CONTEXT never
\pset tuples_only on
begin;
insert into cctv.cameras (camera_id, name, url) values (-1, 'lobby', '/nowhere.mp4');
\set ON_ERROR_ROLLBACK on

-- analyze
select * from cctv.analyze('\x00', 'sorcery');
select count(*) from cctv.analyze(null);
select count(*) from cctv.analyze('\x00', null);
select name, setting, unit, min_val, max_val, context from pg_settings where name = 'cctv.max_image_bytes';

-- probe
select * from cctv.probe(null);
select * from cctv.probe('192.0.2.7', time_limit => null);
select * from cctv.probe('192.0.2.7', time_limit => '0');
select * from cctv.probe('192.0.2.7', time_limit => '-1 second');
select * from cctv.probe('192.0.2.7', time_limit => '1 month');

-- A URL or path is taken as it is, and needs no engine.
select address, cctv.find_stream(address) from (values
	('rtsp://viewer:secret@192.0.2.7/a'), ('/srv/video/a.mp4'), ('/dev/video0'), ('file:///srv/a.mp4'),
	('http://192.0.2.7'), ('a b'), ('host/path'), ('')) as v (address);
select cctv.find_stream(null) is null as null_of_null;

-- live_frame, take_snapshot
select cctv.live_frame('lobby');
select cctv.live_frame(-1, false, 100);
select cctv.live_frame(-2);
select cctv.live_frame('attic');
select cctv.live_frame('lobby', max_width => 15);
select cctv.live_frame(-1, null) is null as null_of_null;
select cctv.take_snapshot('lobby');
select cctv.take_snapshot(-2);
select cctv.take_snapshot(null::integer) is null as null_of_null;

-- add_model
select cctv.add_model('mine', 'ultraface', '/etc/passwd', '{face}');
select cctv.add_model('mine', 'ultraface', 'a/../../b', '{face}');
select cctv.add_model('faces', 'ultraface', 'a.onnx', '{face}');
rollback;
