-- Functions of the library about files below cctv.media_dir.  No step of a path
-- follows a symbolic link, and nothing but regular files is opened.

create function cctv.media(recording_id bigint, "offset" bigint default 0, length integer default null) returns bytea
	language c volatile
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media';
comment on function cctv.media(bigint, bigint, integer) is
	'Bytes of a recording or picture that the caller may see in cctv.recordings: length of them from offset on, or all the rest';

create function cctv.media_sha256(recording_id bigint) returns bytea
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_sha256';
comment on function cctv.media_sha256(bigint) is
	'SHA-256 of a recording''s file as it is now, null when there is none; cctv.verify() compares it';

create function cctv.media_stat(path text, out bytes bigint, out modified_at timestamptz, out problem text)
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_stat';
comment on function cctv.media_stat(text) is
	'Size and time of a media file, for maintenance: null when it is absent, and problem says why one cannot be looked at';

create function cctv.media_list(directory text) returns text[]
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_list';
comment on function cctv.media_list(text) is
	'Names in a directory below cctv.media_dir, for maintenance: those of directories end in a slash';

create function cctv.media_remove(path text) returns text
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_remove';
comment on function cctv.media_remove(text) is
	'Removes a media file, for maintenance: null once it is gone, else why it is not';

create function cctv.media_space(out free_bytes bigint, out total_bytes bigint)
	language c volatile
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_space';
comment on function cctv.media_space() is
	'Free and total bytes of the file system of cctv.media_dir, null when they cannot be had';

create function cctv.media_claim(path text) returns boolean
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_claim_sql';
comment on function cctv.media_claim(text) is
	'Moves a file from cctv.media_dir itself, where it lay before databases had directories of their own, for maintenance';

create function cctv.media_directory() returns text
	language c volatile strict
	set search_path = pg_catalog, pg_temp
	as 'MODULE_PATHNAME', 'cctv_media_directory';
comment on function cctv.media_directory() is
	'This database''s directory in cctv.media_dir, to which paths are relative';
