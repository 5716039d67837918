-- Every function of the extension: its calls, and whether a query may swallow
-- its body, so that the call is not counted.
select p.oid::regprocedure, coalesce(s.calls, 0),
	l.lanname = 'sql' and p.proconfig is null and not p.prosecdef
from pg_proc as p
	join pg_language as l on l.oid = p.prolang
	left join pg_stat_user_functions as s on s.funcid = p.oid
where p.pronamespace = to_regnamespace('cctv') and p.prokind <> 'a' -- of aggregates nobody counts calls
