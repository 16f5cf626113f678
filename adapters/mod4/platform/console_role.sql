-- A database role for the console. Run it as the owner of schema public (on a hosted platform: postgres):
--     psql "<address>" --single-transaction --set ON_ERROR_STOP=1 --file console_role.sql
-- It may be run again, for instance after the platform gained tables.
--
-- The role cannot sign in before it has a password. Set one that no script and no history keeps:
--     psql "<address>" --command "\password biko_console"
--
-- ROW SECURITY: the platform's policies hide codes, requests and links from every ordinary session, and let changes of
-- them touch no row without an error. So this role passes row security. It then sees the tables below of EVERY
-- workspace; the console filters by the workspace chosen in its settings. Where the server does not let the owner make
-- a role that passes row security, the role gets a policy of its own on each of these tables instead.
--
-- What it may do is what the console does, column by column where it changes something. It may not delete, may not
-- change accounts, members or roles, and sees of accounts the id, address, phone and age, never a password.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'biko_console') THEN
        BEGIN
            CREATE ROLE biko_console LOGIN NOINHERIT CONNECTION LIMIT 20;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- made for another database of this server at this moment
        END;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public, auth TO biko_console;

-- Everything that is shown.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'workspaces', 'workspace_members', 'roles', 'profiles', 'system_settings', 'mod4_driver_links',
        'onboarding_requests', 'driver_devices', 'user_invitations', 'drivers', 'driver_availability',
        'driver_documents', 'driver_vehicle_history', 'vehicles', 'warehouses', 'facilities', 'delivery_batches',
        'batch_slot_assignments', 'batch_invoice_links', 'requisitions', 'dispatch_runs', 'delivery_schedules',
        'handoffs', 'mod4_events', 'mod4_event_sync_queue', 'route_history', 'delivery_logs', 'facility_deliveries',
        'driver_sessions', 'driver_events', 'driver_gps_events', 'vehicle_trips'
    ] LOOP
        IF to_regclass('public.' || wanted) IS NULL THEN
            RAISE NOTICE 'This database has no table %; the console will say what it cannot do.', wanted;
        ELSE
            EXECUTE format('GRANT SELECT ON public.%I TO biko_console', wanted);
        END IF;
    END LOOP;
END
$$;
-- Of codes everything but the code.
GRANT SELECT (
    id, target_email, workspace_id, status, created_by, created_at, expires_at, used_at, used_by, attempts,
    max_attempts, updated_at
) ON public.mod4_otp_codes TO biko_console;
DO $$
BEGIN
    GRANT SELECT (id, email, phone, created_at) ON auth.users TO biko_console;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'Accounts stay hidden: the console will not say beforehand whether an address has one.';
END
$$;

-- Everything that is changed.
GRANT UPDATE (status, updated_at) ON public.mod4_driver_links TO biko_console;
GRANT UPDATE (status, updated_at) ON public.mod4_otp_codes TO biko_console;
GRANT UPDATE (status, reviewed_by, reviewed_at, reviewer_notes, updated_at) ON public.onboarding_requests
    TO biko_console;
GRANT UPDATE (is_trusted, revoked_at, revoked_by, updated_at) ON public.driver_devices TO biko_console;
GRANT UPDATE (status, revoked_by, invitation_token, invited_at, expires_at) ON public.user_invitations
    TO biko_console;
GRANT UPDATE (
    status, driver_id, vehicle_id, vehicle_ids, actual_start_time, actual_end_time, driver_status, notes, updated_at
) ON public.delivery_batches TO biko_console;
GRANT INSERT, UPDATE ON public.dispatch_runs TO biko_console;

-- Functions, where the platform has them.
DO $$
DECLARE
    wanted regprocedure;
BEGIN
    FOR wanted IN
        SELECT p.oid::regprocedure FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN (
            'get_mod4_linked_users', 'link_user_to_mod4', 'generate_mod4_otp', 'get_driver_devices', 'invite_user',
            'revoke_invitation', 'get_invitation_by_token', 'assign_driver_to_batch', 'start_dispatch',
            'complete_dispatch', 'end_driver_session', 'get_driver_event_timeline',
            'get_active_drivers_with_positions'
        )
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO biko_console', wanted);
    END LOOP;
END
$$;

-- Row security, as said above.
DO $$
DECLARE
    each record;
BEGIN
    ALTER ROLE biko_console BYPASSRLS;
EXCEPTION WHEN insufficient_privilege THEN
    FOR each IN
        SELECT DISTINCT c.relname AS name FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
            AND has_any_column_privilege('biko_console', c.oid, 'SELECT')
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS biko_console_all ON public.%I', each.name);
        EXECUTE format('CREATE POLICY biko_console_all ON public.%I TO biko_console USING (true)', each.name);
    END LOOP;
END
$$;
