-- AS COMMITTED: functions as the platform's scripts leave them, with their faults (biko.md 7, items 4, 6, 7, 8).
-- repair.sql replaces them one by one.

CREATE FUNCTION public.generate_mod4_otp(p_email text, p_workspace_id uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    target text := lower(trim(p_email));
    maker uuid := coalesce(auth.uid(), (
        SELECT m.user_id FROM public.workspace_members AS m
        WHERE m.workspace_id = p_workspace_id AND m.role IN ('owner', 'admin') AND m.status = 'active'
        ORDER BY m.created_at LIMIT 1
    ));
    drawn bytea;
    code text;
BEGIN
    drawn := gen_random_bytes(3);
    code := lpad(
        ((get_byte(drawn, 0) * 65536 + get_byte(drawn, 1) * 256 + get_byte(drawn, 2)) % 1000000)::text, 6, '0'
    );
    UPDATE public.mod4_otp_codes SET status = 'expired', updated_at = now()
    WHERE target_email = target AND status = 'pending';
    INSERT INTO public.mod4_otp_codes (target_email, otp_code, workspace_id, created_by)
    VALUES (target, extensions.crypt(code, extensions.gen_salt('bf', 8)), p_workspace_id, maker);
    RETURN code;
END
$$;

CREATE FUNCTION public.verify_mod4_otp(p_email text, p_otp text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, extensions AS $$
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
    INSERT INTO public.user_roles (user_id, role) VALUES (account, 'driver');
    INSERT INTO public.workspace_members (workspace_id, user_id, role, role_id)
    VALUES (entry.workspace_id, account, 'member', driver_role)
    ON CONFLICT (workspace_id, user_id) DO UPDATE SET status = 'active', updated_at = now();
    SELECT l.driver_id INTO own_driver FROM public.mod4_driver_links AS l WHERE l.user_id = account;
    IF own_driver IS NULL THEN
        INSERT INTO public.drivers (
            name, phone, email, license_type, shift_start, shift_end, max_hours, status, onboarding_completed
        )
        SELECT coalesce(p.full_name, split_part(resolved, '@', 1)), coalesce(u.phone, p.phone, ''), resolved,
            'standard', '08:00', '17:00', 8, 'available', false
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

CREATE FUNCTION public.link_user_to_mod4(
    p_user_id uuid, p_link_method text DEFAULT 'manual', p_workspace_id uuid DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, extensions AS $$
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
    INSERT INTO public.user_roles (user_id, role) VALUES (account, 'driver');
    INSERT INTO public.workspace_members (workspace_id, user_id, role, role_id)
    VALUES (home, account, 'member', driver_role)
    ON CONFLICT (workspace_id, user_id) DO UPDATE SET status = 'active', updated_at = now();
    IF own_driver IS NULL THEN
        INSERT INTO public.drivers (
            name, phone, email, license_type, shift_start, shift_end, max_hours, status, onboarding_completed
        )
        SELECT coalesce(p.full_name, split_part(resolved, '@', 1)), coalesce(u.phone, p.phone, ''), resolved,
            'standard', '08:00', '17:00', 8, 'available', false
        FROM auth.users AS u LEFT JOIN public.profiles AS p ON p.id = u.id WHERE u.id = account
        RETURNING id INTO own_driver;
        UPDATE public.mod4_driver_links SET driver_id = own_driver WHERE id = made;
    END IF;
    RETURN made;
END
$$;

-- The batch takes a picture of itself when it leaves, and keeps to it.
CREATE FUNCTION public.freeze_batch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF old.is_snapshot_locked THEN
        IF new.status NOT IN ('in-progress', 'completed', 'cancelled') THEN
            RAISE EXCEPTION 'Batch % is locked: status cannot become %', old.id, new.status;
        END IF;
        IF new.facility_ids IS DISTINCT FROM old.facility_ids OR new.total_quantity IS DISTINCT FROM old.total_quantity
            OR new.optimized_route IS DISTINCT FROM old.optimized_route
            OR (new.vehicle_id IS NOT NULL AND new.vehicle_id IS DISTINCT FROM old.vehicle_id)
        THEN
            RAISE EXCEPTION 'Batch % is locked: stops, quantity, route and vehicle cannot change', old.id;
        END IF;
    ELSIF new.status = 'in-progress' AND old.status IN ('planned', 'assigned') THEN
        new.batch_snapshot := jsonb_build_object(
            'facility_ids', to_jsonb(new.facility_ids), 'vehicle_id', new.vehicle_id, 'driver_id', new.driver_id,
            'total_quantity', new.total_quantity, 'optimized_route', new.optimized_route,
            'requisitions', coalesce(
                (SELECT jsonb_agg(r.id) FROM requisitions AS r WHERE r.batch_id = new.id), '[]'
            ),
            'slots', coalesce(
                (SELECT jsonb_agg(s.slot_key) FROM batch_slot_assignments AS s WHERE s.batch_id = new.id), '[]'
            )
        );
        new.snapshot_locked_at := now();
        new.is_snapshot_locked := true;
    END IF;
    RETURN new;
END
$$;

CREATE FUNCTION public.insert_mod4_event(
    p_event_type text, p_driver_id uuid, p_session_id uuid, p_device_id text, p_lat double precision,
    p_lng double precision, p_captured_at timestamptz, p_metadata jsonb DEFAULT '{}', p_vehicle_id uuid DEFAULT NULL,
    p_batch_id uuid DEFAULT NULL, p_trip_id uuid DEFAULT NULL, p_dispatch_id uuid DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    made uuid;
BEGIN
    INSERT INTO mod4_events (
        event_type, driver_id, session_id, device_id, lat, lng, captured_at, metadata, vehicle_id, batch_id, trip_id,
        dispatch_id, sync_status
    ) VALUES (
        p_event_type, p_driver_id, p_session_id, p_device_id, p_lat, p_lng, p_captured_at, coalesce(p_metadata, '{}'),
        p_vehicle_id, p_batch_id, p_trip_id, p_dispatch_id, 'synced'
    ) RETURNING event_id INTO made;
    RETURN made;
END
$$;

CREATE FUNCTION public.get_driver_event_timeline(
    p_driver_id uuid, p_session_id uuid DEFAULT NULL, p_limit integer DEFAULT 100
) RETURNS TABLE (
    event_id uuid, event_type text, session_id uuid, device_id text, vehicle_id uuid, batch_id uuid,
    lat double precision, lng double precision, captured_at timestamptz, received_at timestamptz, metadata jsonb
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    RETURN QUERY
        SELECT e.event_id, e.event_type, e.session_id, e.device_id, e.vehicle_id, e.batch_id, e.lat, e.lng,
            e.captured_at, e.received_at, e.metadata
        FROM mod4_events AS e
        WHERE e.driver_id = p_driver_id AND (p_session_id IS NULL OR e.session_id = p_session_id)
        ORDER BY e.captured_at DESC LIMIT p_limit;
END
$$;

-- A bad row is told and the others are taken.
CREATE FUNCTION public.ingest_gps_events(events jsonb)
RETURNS TABLE (inserted_count integer, failed_count integer, errors jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    event jsonb;
BEGIN
    inserted_count := 0;
    failed_count := 0;
    errors := '[]';
    FOR event IN SELECT jsonb_array_elements(events) LOOP
        BEGIN
            INSERT INTO driver_gps_events (
                driver_id, session_id, device_id, lat, lng, altitude_m, accuracy_m, heading, speed_mps, captured_at,
                batch_id, trip_id, vehicle_id, battery_level, network_type, is_background
            ) VALUES (
                (event ->> 'driver_id')::uuid, (event ->> 'session_id')::uuid, event ->> 'device_id',
                (event ->> 'lat')::double precision, (event ->> 'lng')::double precision,
                (event ->> 'altitude_m')::double precision, (event ->> 'accuracy_m')::double precision,
                (event ->> 'heading')::double precision, (event ->> 'speed_mps')::double precision,
                (event ->> 'captured_at')::timestamptz, (event ->> 'batch_id')::uuid, (event ->> 'trip_id')::uuid,
                (event ->> 'vehicle_id')::uuid, (event ->> 'battery_level')::integer, event ->> 'network_type',
                coalesce((event ->> 'is_background')::boolean, false)
            );
            inserted_count := inserted_count + 1;
        EXCEPTION WHEN OTHERS THEN
            failed_count := failed_count + 1;
            errors := errors || jsonb_build_object('event', event, 'error', sqlerrm);
        END;
    END LOOP;
    RETURN NEXT;
END
$$;

CREATE FUNCTION public.update_session_heartbeat(
    p_session_id uuid, p_lat double precision DEFAULT NULL, p_lng double precision DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE driver_sessions SET last_heartbeat_at = now(), last_active_at = now()
    WHERE id = p_session_id AND status = 'active';
    RETURN FOUND;
END
$$;

CREATE FUNCTION public.expire_stale_sessions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    changed integer;
BEGIN
    UPDATE driver_sessions SET status = 'expired', ended_at = now()
    WHERE status = 'active' AND last_heartbeat_at < now() - interval '30 minutes';
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;

CREATE FUNCTION public.check_driver_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    batch record;
BEGIN
    SELECT b.driver_status, b.assigned_driver_id INTO batch
    FROM public.delivery_batches AS b WHERE b.id = new.batch_id;
    IF batch.assigned_driver_id IS DISTINCT FROM new.driver_id THEN
        RAISE EXCEPTION 'Driver is not assigned to this batch';
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER check_driver_event BEFORE INSERT ON public.driver_events
    FOR EACH ROW EXECUTE FUNCTION public.check_driver_event();
CREATE TRIGGER freeze_batch BEFORE UPDATE ON public.delivery_batches
    FOR EACH ROW EXECUTE FUNCTION public.freeze_batch();
