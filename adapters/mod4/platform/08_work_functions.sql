-- Functions and triggers about batches and sessions that work as committed (biko.md 4.4, 4.8, 4.9).
CREATE FUNCTION public.touch_row() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    new.updated_at := now();
    RETURN new;
END
$$;
CREATE TRIGGER touch_row BEFORE UPDATE ON public.delivery_batches FOR EACH ROW EXECUTE FUNCTION public.touch_row();
CREATE TRIGGER touch_row BEFORE UPDATE ON public.drivers FOR EACH ROW EXECUTE FUNCTION public.touch_row();
CREATE TRIGGER touch_row BEFORE UPDATE ON public.vehicles FOR EACH ROW EXECUTE FUNCTION public.touch_row();
CREATE TRIGGER touch_row BEFORE UPDATE ON public.requisitions FOR EACH ROW EXECUTE FUNCTION public.touch_row();
CREATE TRIGGER touch_row BEFORE UPDATE ON public.route_history FOR EACH ROW EXECUTE FUNCTION public.touch_row();

CREATE FUNCTION public.assign_driver_to_batch(p_batch_id uuid, p_driver_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    batch public.delivery_batches;
BEGIN
    SELECT * INTO batch FROM public.delivery_batches WHERE id = p_batch_id FOR UPDATE;
    IF batch.id IS NULL THEN
        RAISE EXCEPTION 'Batch % not found', p_batch_id;
    END IF;
    IF batch.is_snapshot_locked THEN
        RAISE EXCEPTION 'Cannot assign driver: batch % is locked', p_batch_id;
    END IF;
    IF batch.status NOT IN ('planned', 'assigned') THEN
        RAISE EXCEPTION 'Cannot assign driver to batch in status %', batch.status;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM public.drivers WHERE id = p_driver_id) THEN
        RAISE EXCEPTION 'Driver % not found', p_driver_id;
    END IF;
    UPDATE public.delivery_batches SET driver_id = p_driver_id, status = 'assigned' WHERE id = p_batch_id;
END
$$;

CREATE FUNCTION public.start_dispatch(p_batch_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    batch public.delivery_batches;
BEGIN
    SELECT * INTO batch FROM public.delivery_batches WHERE id = p_batch_id FOR UPDATE;
    IF batch.id IS NULL THEN
        RAISE EXCEPTION 'Batch % not found', p_batch_id;
    END IF;
    IF batch.status NOT IN ('planned', 'assigned') THEN
        RAISE EXCEPTION 'Cannot start dispatch for batch in status %', batch.status;
    END IF;
    IF batch.driver_id IS NULL OR batch.vehicle_id IS NULL THEN
        RAISE EXCEPTION 'Cannot start dispatch: driver and vehicle are required';
    END IF;
    UPDATE public.delivery_batches SET status = 'in-progress', actual_start_time = now() WHERE id = p_batch_id;
    UPDATE public.requisitions SET status = 'in_transit'
    WHERE batch_id = p_batch_id AND status = 'assigned_to_batch';
END
$$;

CREATE FUNCTION public.complete_dispatch(p_batch_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    state public.batch_status;
BEGIN
    SELECT status INTO state FROM public.delivery_batches WHERE id = p_batch_id FOR UPDATE;
    IF state IS NULL THEN
        RAISE EXCEPTION 'Batch % not found', p_batch_id;
    END IF;
    IF state <> 'in-progress' THEN
        RAISE EXCEPTION 'Cannot complete dispatch for batch in status %', state;
    END IF;
    UPDATE public.delivery_batches SET status = 'completed', actual_end_time = now() WHERE id = p_batch_id;
    UPDATE public.requisitions SET status = 'fulfilled' WHERE batch_id = p_batch_id AND status = 'in_transit';
END
$$;

-- A batch that never left gives its requisitions back; one on the road does not.
CREATE FUNCTION public.release_requisitions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF new.status = 'cancelled' AND old.status IN ('planned', 'assigned') THEN
        UPDATE public.requisitions SET status = 'ready_for_dispatch', batch_id = NULL WHERE batch_id = new.id;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER release_requisitions AFTER UPDATE OF status ON public.delivery_batches
    FOR EACH ROW EXECUTE FUNCTION public.release_requisitions();

CREATE FUNCTION public.start_driver_session(
    p_driver_id uuid, p_device_id text, p_vehicle_id uuid DEFAULT NULL, p_start_lat double precision DEFAULT NULL,
    p_start_lng double precision DEFAULT NULL, p_device_info jsonb DEFAULT '{}'
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    made uuid;
BEGIN
    UPDATE public.driver_sessions SET
        status = 'INVALIDATED', invalidated_at = now(), invalidation_reason = 'new_session_started'
    WHERE driver_id = p_driver_id AND status = 'ACTIVE';
    INSERT INTO public.driver_sessions (
        driver_id, device_id, device_metadata, access_token_hash, refresh_token_hash, vehicle_id
    ) VALUES (
        p_driver_id, p_device_id,
        coalesce(p_device_info, '{}') || jsonb_strip_nulls(jsonb_build_object('lat', p_start_lat, 'lng', p_start_lng)),
        md5(gen_random_uuid()::text), md5(gen_random_uuid()::text), p_vehicle_id
    ) RETURNING id INTO made;
    UPDATE public.drivers AS d SET status = 'busy'
    FROM public.mod4_driver_links AS l WHERE l.user_id = p_driver_id AND d.id = l.driver_id;
    RETURN made;
END
$$;

CREATE FUNCTION public.end_driver_session(p_session_id uuid, p_end_reason text DEFAULT 'driver_logout')
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    login uuid;
BEGIN
    UPDATE public.driver_sessions SET
        status = 'INVALIDATED', invalidated_at = now(), invalidation_reason = p_end_reason
    WHERE id = p_session_id AND status = 'ACTIVE'
    RETURNING driver_id INTO login;
    IF login IS NULL THEN
        RETURN false;
    END IF;
    UPDATE public.drivers AS d SET status = 'available'
    FROM public.mod4_driver_links AS l WHERE l.user_id = login AND d.id = l.driver_id;
    RETURN true;
END
$$;

-- Of every workspace (7, item 13).
CREATE FUNCTION public.get_active_drivers_with_positions()
RETURNS TABLE (
    driver_id uuid, driver_name text, session_id uuid, vehicle_id uuid, vehicle_plate text,
    current_lat double precision, current_lng double precision, heading double precision,
    speed_mps double precision, last_update timestamptz, current_batch_id uuid, batch_name text,
    session_started_at timestamptz, battery_level integer
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT d.id, d.name, s.id, s.vehicle_id, v.plate_number, g.lat, g.lng, g.heading, g.speed_mps, g.captured_at,
        b.id, b.name, s.started_at, g.battery_level
    FROM public.driver_sessions AS s
    JOIN public.mod4_driver_links AS l ON l.user_id = s.driver_id
    JOIN public.drivers AS d ON d.id = l.driver_id
    LEFT JOIN public.vehicles AS v ON v.id = s.vehicle_id
    LEFT JOIN LATERAL (
        SELECT e.* FROM public.driver_gps_events AS e WHERE e.session_id = s.id ORDER BY e.captured_at DESC LIMIT 1
    ) AS g ON true
    LEFT JOIN LATERAL (
        SELECT o.id, o.name FROM public.delivery_batches AS o
        WHERE o.driver_id = d.id AND o.status = 'in-progress' ORDER BY o.actual_start_time DESC LIMIT 1
    ) AS b ON true
    WHERE s.status = 'ACTIVE'
$$;
