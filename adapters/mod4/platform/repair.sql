-- REPAIR of the platform's functions that fail as committed. A site may run it as the owner of schema public:
--     psql "<address>" --single-transaction --set ON_ERROR_STOP=1 --file repair.sql
-- It changes functions and nothing else: no table, row, right or policy. Names, arguments and results stay. Running it
-- again changes nothing more.
--
-- 1. Every function of schema public with an empty search path looks for names in public and extensions again:
--    insert_mod4_event, ingest_gps_events, get_driver_event_timeline, update_session_heartbeat, expire_stale_sessions,
--    the trigger that freezes a batch when it starts. Temporary tables come last, so that nobody can put one before.
-- 2. generate_mod4_otp finds gen_random_bytes in the schema of pgcrypto.
-- 3. verify_mod4_otp and link_user_to_mod4 no longer fill the dropped column user_roles.role, and give a new driver the
--    workspace that its table demands. The default method 'manual', which the table refuses, becomes 'admin_direct'.
-- 4. update_session_heartbeat and expire_stale_sessions ask for 'ACTIVE', as the table writes it.
-- 5. The trigger of driver_events reads the driver that the batch has, and finds the login through the link.
DO $repair$
DECLARE
    broken regprocedure;
BEGIN
    FOR broken IN
        SELECT p.oid::regprocedure FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND 'search_path=""' = ANY (p.proconfig)
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = public, extensions, pg_temp', broken);
    END LOOP;
END
$repair$;

ALTER FUNCTION public.generate_mod4_otp(text, uuid) SET search_path = public, extensions, pg_temp;

CREATE OR REPLACE FUNCTION public.verify_mod4_otp(p_email text, p_otp text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, extensions, pg_temp AS $$
DECLARE
    resolved text;
    account uuid;
    entry public.mod4_otp_codes;
    own_driver uuid;
    driver_role uuid;
BEGIN
    IF position('@' IN p_email) > 0 THEN
        resolved := lower(trim(p_email));
    ELSE
        SELECT u.email INTO resolved FROM auth.users AS u WHERE u.phone = trim(p_email);
    END IF;
    SELECT u.id INTO account FROM auth.users AS u WHERE u.email = resolved;
    SELECT * INTO entry FROM public.mod4_otp_codes AS o
    WHERE o.target_email = resolved AND o.status = 'pending' AND o.expires_at > now() AND o.attempts < o.max_attempts
    ORDER BY o.created_at DESC LIMIT 1 FOR UPDATE;
    IF entry.id IS NULL OR account IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE public.mod4_otp_codes SET attempts = attempts + 1, updated_at = now() WHERE id = entry.id;
    IF crypt(p_otp, entry.otp_code) <> entry.otp_code THEN
        RETURN NULL;
    END IF;
    UPDATE auth.users SET encrypted_password = crypt(p_otp, gen_salt('bf')), updated_at = now() WHERE id = account;
    UPDATE public.mod4_otp_codes SET status = 'used', used_at = now(), used_by = account, updated_at = now()
    WHERE id = entry.id;
    SELECT r.id INTO driver_role FROM public.roles AS r WHERE r.code = 'driver';
    INSERT INTO public.user_roles (user_id, role_id) VALUES (account, driver_role)
    ON CONFLICT (user_id, role_id) DO NOTHING;
    INSERT INTO public.workspace_members (workspace_id, user_id, role, role_id)
    VALUES (entry.workspace_id, account, 'member', driver_role)
    ON CONFLICT (workspace_id, user_id) DO UPDATE SET status = 'active', updated_at = now();
    SELECT l.driver_id INTO own_driver FROM public.mod4_driver_links AS l WHERE l.user_id = account;
    IF own_driver IS NULL THEN
        INSERT INTO public.drivers (
            name, phone, email, license_type, shift_start, shift_end, max_hours, status, onboarding_completed,
            workspace_id
        )
        SELECT coalesce(p.full_name, split_part(resolved, '@', 1)), coalesce(u.phone, p.phone, ''), resolved,
            'standard', '08:00', '17:00', 8, 'available', false, entry.workspace_id
        FROM auth.users AS u LEFT JOIN public.profiles AS p ON p.id = u.id WHERE u.id = account
        RETURNING id INTO own_driver;
    END IF;
    INSERT INTO public.mod4_driver_links (user_id, driver_id, status, link_method, linked_by)
    VALUES (account, own_driver, 'active', 'otp', account)
    ON CONFLICT (user_id) DO UPDATE SET
        driver_id = excluded.driver_id, status = 'active', link_method = 'otp', linked_by = excluded.linked_by,
        linked_at = now(), updated_at = now();
    RETURN resolved;
END
$$;

CREATE OR REPLACE FUNCTION public.link_user_to_mod4(
    p_user_id uuid, p_link_method text DEFAULT 'admin_direct', p_workspace_id uuid DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, extensions, pg_temp AS $$
DECLARE
    account uuid := p_user_id;
    resolved text;
    home uuid := coalesce(p_workspace_id, (
        SELECT m.workspace_id FROM public.workspace_members AS m
        WHERE m.user_id = auth.uid() ORDER BY m.created_at LIMIT 1
    ));
    own_driver uuid;
    driver_role uuid;
    made uuid;
BEGIN
    SELECT u.email INTO resolved FROM auth.users AS u WHERE u.id = account;
    IF resolved IS NULL THEN
        RAISE EXCEPTION 'User not found';
    END IF;
    INSERT INTO public.mod4_driver_links (user_id, status, link_method, linked_by)
    VALUES (account, 'active', p_link_method, auth.uid())
    ON CONFLICT (user_id) DO UPDATE SET
        status = 'active', link_method = excluded.link_method, linked_by = excluded.linked_by, linked_at = now(),
        updated_at = now()
    RETURNING id, driver_id INTO made, own_driver;
    INSERT INTO public.profiles (id, email, full_name) VALUES (account, resolved, split_part(resolved, '@', 1))
    ON CONFLICT (id) DO NOTHING;
    SELECT r.id INTO driver_role FROM public.roles AS r WHERE r.code = 'driver';
    INSERT INTO public.user_roles (user_id, role_id) VALUES (account, driver_role)
    ON CONFLICT (user_id, role_id) DO NOTHING;
    INSERT INTO public.workspace_members (workspace_id, user_id, role, role_id)
    VALUES (home, account, 'member', driver_role)
    ON CONFLICT (workspace_id, user_id) DO UPDATE SET status = 'active', updated_at = now();
    IF own_driver IS NULL THEN
        INSERT INTO public.drivers (
            name, phone, email, license_type, shift_start, shift_end, max_hours, status, onboarding_completed,
            workspace_id
        )
        SELECT coalesce(p.full_name, split_part(resolved, '@', 1)), coalesce(u.phone, p.phone, ''), resolved,
            'standard', '08:00', '17:00', 8, 'available', false, home
        FROM auth.users AS u LEFT JOIN public.profiles AS p ON p.id = u.id WHERE u.id = account
        RETURNING id INTO own_driver;
        UPDATE public.mod4_driver_links SET driver_id = own_driver WHERE id = made;
    END IF;
    RETURN made;
END
$$;

DO $repair$
DECLARE
    stale record;
BEGIN
    FOR stale IN
        SELECT pg_get_functiondef(p.oid) AS text FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace
            AND p.proname IN ('update_session_heartbeat', 'expire_stale_sessions') AND p.prosrc LIKE '%''active''%'
    LOOP
        EXECUTE replace(replace(stale.text, '''active''', '''ACTIVE'''),
            'status = ''expired''', 'status = ''INVALIDATED'', invalidated_at = now()');
    END LOOP;
END
$repair$;

-- The name of the trigger's function is taken from the trigger.
DO $repair$
DECLARE
    broken regproc;
BEGIN
    FOR broken IN
        SELECT p.oid::regproc FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE t.tgrelid = 'public.driver_events'::regclass AND NOT t.tgisinternal
            AND p.prosrc LIKE '%assigned_driver_id%'
    LOOP
        EXECUTE format($definition$
CREATE OR REPLACE FUNCTION %s() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, extensions, pg_temp AS $body$
DECLARE
    was public.driver_status;
    assigned uuid;
    kind text := new.event_type;
    becomes text;
    allowed text[];
BEGIN
    SELECT b.driver_status, l.user_id INTO was, assigned
    FROM public.delivery_batches AS b LEFT JOIN public.mod4_driver_links AS l ON l.driver_id = b.driver_id
    WHERE b.id = new.batch_id FOR UPDATE OF b;
    IF assigned IS DISTINCT FROM new.driver_id AND kind <> 'SUPERVISOR_OVERRIDE' THEN
        RAISE EXCEPTION 'Driver is not assigned to this batch';
    END IF;
    was := coalesce(was, 'INACTIVE');
    CASE kind
        WHEN 'ROUTE_STARTED' THEN allowed := '{INACTIVE,ACTIVE}'; becomes := 'EN_ROUTE';
        WHEN 'ARRIVED_AT_STOP' THEN allowed := '{EN_ROUTE}'; becomes := 'AT_STOP';
        WHEN 'DEPARTED_STOP' THEN allowed := '{AT_STOP}'; becomes := 'EN_ROUTE';
        WHEN 'DELAY_REPORTED' THEN allowed := '{EN_ROUTE,AT_STOP}'; becomes := 'DELAYED';
        WHEN 'PROOF_CAPTURED' THEN allowed := ARRAY[was::text]; becomes := was;
        WHEN 'ROUTE_COMPLETED' THEN allowed := '{EN_ROUTE,AT_STOP,DELAYED}'; becomes := 'COMPLETED';
        WHEN 'ROUTE_CANCELLED' THEN
            allowed := '{INACTIVE,ACTIVE,EN_ROUTE,AT_STOP,DELAYED,SUSPENDED}'; becomes := 'INACTIVE';
        ELSE allowed := ARRAY[was::text]; becomes := new.driver_status;
    END CASE;
    IF NOT was::text = ANY (allowed) THEN
        RAISE EXCEPTION 'Event %% is not allowed in state %%', kind, was;
    END IF;
    IF new.driver_status::text <> becomes THEN
        RAISE EXCEPTION 'Event %% must lead to state %%, not %%', kind, becomes, new.driver_status;
    END IF;
    UPDATE public.delivery_batches SET driver_status = new.driver_status WHERE id = new.batch_id;
    RETURN new;
END
$body$
        $definition$, broken);
    END LOOP;
END
$repair$;
