-- Who may do what in geogaze's database on PostgreSQL. Run by its owner, who may make roles, after
-- each 'alembic upgrade head':
--
--   psql "$OWNERS_DATABASE" --set ON_ERROR_STOP=1 --file infra/roles.sql
--
-- Then once, each with a password of its own:
--
--   ALTER ROLE geogaze_api LOGIN PASSWORD '…';
--   ALTER ROLE geogaze_work LOGIN PASSWORD '…';
--
-- geogaze_api   the API
-- geogaze_work  dispatcher and workers, which need no keys
--
-- Neither makes, changes or drops a table. Migrations, and 'geogaze keys', are the owner's.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'geogaze_api') THEN
        CREATE ROLE geogaze_api;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'geogaze_work') THEN
        CREATE ROLE geogaze_work;
    END IF;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO geogaze_api, geogaze_work;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO geogaze_api, geogaze_work;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM geogaze_api, geogaze_work;

-- The API judges keys and puts down when they were used; it makes none.
REVOKE ALL ON keys FROM geogaze_api, geogaze_work;
GRANT SELECT, UPDATE (last_used) ON keys TO geogaze_api;
