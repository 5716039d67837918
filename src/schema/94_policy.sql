-- Row security: who sees and changes the rows of which camera.
--
-- Every policy asks once a query, by a subselect that depends on no row, and
-- then looks into a hash table.  They hold for whoever is no superuser; tables
-- that the worker owns are open to it as their owner, on the others it has
-- policies of its own.  Grants decide about the verb, policies about the row:
-- a policy for a verb that nobody was granted opens nothing.

do $$
declare
	name text;
begin
	-- What happened on a camera.
	foreach name in array string_to_array('camera_status camera_events sessions tracks detections alerts alerts_hourly '
		'recordings recording_status rule_cooldown rule_window crowd_state', ' ')
	loop
		execute format('alter table cctv.%I enable row level security', name);
		execute format('create policy see on cctv.%I for select '
			'using (camera_id in (select cctv.my_cameras(''view'')))', name);
	end loop;
	-- The configuration, which the worker reads but does not own.
	foreach name in array string_to_array('cameras zones alert_rules schedules consumers camera_grants', ' ')
	loop
		execute format('alter table cctv.%I enable row level security', name);
		execute format('create policy worker on cctv.%I to cctv_worker using (true) with check (true)', name);
	end loop;
end
$$;

-- A new row is not among my_cameras() yet: its owner tells.
create policy see on cctv.cameras for select
	using (camera_id in (select cctv.my_cameras('view')) or owner in (select cctv.my_roles())
		or (select pg_has_role('cctv_admin', 'usage')));
create policy add on cctv.cameras for insert
	with check (owner in (select cctv.my_roles()) or (select pg_has_role('cctv_admin', 'usage')));
create policy operate on cctv.cameras for update
	using (camera_id in (select cctv.my_cameras('operate')));
create policy manage on cctv.cameras for delete
	using (camera_id in (select cctv.my_cameras('manage')));

create policy operate on cctv.alerts for update
	using (camera_id in (select cctv.my_cameras('operate')));
create policy manage on cctv.alerts for delete
	using (camera_id in (select cctv.my_cameras('manage')));
create policy operate on cctv.recordings for update
	using (camera_id in (select cctv.my_cameras('operate')));
create policy manage on cctv.recordings for delete
	using (camera_id in (select cctv.my_cameras('manage')));

create policy see on cctv.zones for select
	using (camera_id in (select cctv.my_cameras('view')));

-- A zone is of the camera that alerts in it are of, and there are few.
alter table cctv.alert_zones enable row level security;
create policy see on cctv.alert_zones for select
	using (zone_id in (select z.zone_id from cctv.zones as z));

-- A rule of no camera is of every camera.
create policy see on cctv.alert_rules for select
	using (camera_id is null or camera_id in (select cctv.my_cameras('view')));

create policy see on cctv.schedules for select
	using (camera_id in (select cctv.my_cameras('view'))
		or rule_id in (select r.rule_id from cctv.alert_rules as r));

create policy see on cctv.camera_grants for select
	using (role in (select cctv.my_roles()) or coalesce(camera_id, 0) in (select cctv.my_cameras('manage')));

-- Not one policy for all verbs: it would be asked about SELECT as well.
do $$
declare
	manages record;
begin
	for manages in
		select * from (values
			('zones', 'camera_id in (select cctv.my_cameras(''manage''))', 'true'),
			-- One must not hold on to the zone of somebody else.
			('alert_rules', 'coalesce(camera_id, 0) in (select cctv.my_cameras(''manage''))',
				'(zone_id is null or zone_id in (select z.zone_id from cctv.zones as z)) '
				'and (line_id is null or line_id in (select z.zone_id from cctv.zones as z))'),
			('schedules', 'camera_id in (select cctv.my_cameras(''manage'')) '
				'or rule_id in (select r.rule_id from cctv.alert_rules as r '
				'where coalesce(r.camera_id, 0) in (select cctv.my_cameras(''manage'')))', 'true'),
			('camera_grants', 'coalesce(camera_id, 0) in (select cctv.my_cameras(''manage''))', 'true'))
			as m (name, row_, new_row)
	loop
		execute format('create policy add on cctv.%I for insert with check ((%s) and %s)',
			manages.name, manages.row_, manages.new_row);
		execute format('create policy change on cctv.%I for update using (%s) with check ((%s) and %s)',
			manages.name, manages.row_, manages.row_, manages.new_row);
		execute format('create policy remove on cctv.%I for delete using (%s)', manages.name, manages.row_);
	end loop;
end
$$;

-- What is about no camera is about every camera.
alter table cctv.notifications enable row level security;
create policy see on cctv.notifications for select
	using (coalesce(camera_id, 0) in (select cctv.my_cameras('view')));
create policy manage on cctv.notifications for delete
	using (coalesce(camera_id, 0) in (select cctv.my_cameras('manage')));
alter table cctv.notification_reads enable row level security;
create policy own on cctv.notification_reads
	using (role = (select quote_ident(current_user)::regrole));

-- Deletions outlive their cameras.
alter table cctv.media_deletions enable row level security;
create policy see on cctv.media_deletions for select
	using (camera_id in (select cctv.my_cameras('view')) or (select 0 in (select cctv.my_cameras('view'))));

create policy own on cctv.consumers
	using (owner in (select cctv.my_roles()) or (select pg_has_role('cctv_admin', 'usage')));

-- An engine runs cameras of several owners, and says why it was lost.
alter table cctv.engine_status enable row level security;
create policy see on cctv.engine_status for select
	using ((select 0 in (select cctv.my_cameras('view'))));
alter table cctv.rule_state enable row level security;
create policy see on cctv.rule_state for select
	using ((select 0 in (select cctv.my_cameras('view'))));

-- No policy: what somebody grants on them by mistake shows nothing.
alter table cctv.camera_secrets enable row level security;
alter table cctv.publish_secrets enable row level security;
