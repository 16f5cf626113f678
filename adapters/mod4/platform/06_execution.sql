-- What happens on the road: sessions, positions, events, proofs (biko.md 4.7 to 4.9).
-- Despite its name driver_sessions.driver_id is the login, and so is driver_events.driver_id.
CREATE TABLE public.driver_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    device_id text NOT NULL,
    device_metadata jsonb,
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'INVALIDATED')),
    access_token_hash text NOT NULL,
    refresh_token_hash text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    last_active_at timestamptz NOT NULL DEFAULT now(),
    last_heartbeat_at timestamptz DEFAULT now(),
    invalidated_at timestamptz,
    invalidation_reason text,
    ended_at timestamptz,
    end_reason text,
    vehicle_id uuid REFERENCES public.vehicles ON DELETE SET NULL
);
CREATE UNIQUE INDEX driver_sessions_one_active ON public.driver_sessions (driver_id) WHERE status = 'ACTIVE';

CREATE TABLE public.driver_gps_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id uuid NOT NULL REFERENCES public.drivers ON DELETE CASCADE,
    session_id uuid NOT NULL,
    device_id text NOT NULL,
    lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    lng double precision NOT NULL CHECK (lng BETWEEN -180 AND 180),
    altitude_m double precision,
    accuracy_m double precision,
    heading double precision,
    speed_mps double precision,
    captured_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    batch_id uuid,
    trip_id uuid,
    vehicle_id uuid,
    battery_level integer CHECK (battery_level BETWEEN 0 AND 100),
    network_type text,
    is_background boolean DEFAULT false
);
CREATE INDEX driver_gps_events_session ON public.driver_gps_events (session_id, captured_at DESC);
CREATE INDEX driver_gps_events_driver ON public.driver_gps_events (driver_id, captured_at DESC);
CREATE INDEX driver_gps_events_received ON public.driver_gps_events (received_at);

-- The time of the place is left as it was and an older point is not held back, as on the platform.
CREATE FUNCTION public.copy_driver_position() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE public.drivers SET current_lat = new.lat, current_lng = new.lng WHERE id = new.driver_id;
    RETURN new;
END
$$;
CREATE TRIGGER copy_driver_position AFTER INSERT ON public.driver_gps_events
    FOR EACH ROW EXECUTE FUNCTION public.copy_driver_position();

-- The key of session_id to the sessions is gone: any uuid passes.
CREATE TABLE public.mod4_events (
    event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_type text NOT NULL CHECK (event_type IN (
        'session_started', 'session_ended', 'delivery_started', 'delivery_completed', 'delivery_discrepancy',
        'location_captured', 'proxy_delivery_reason_recorded', 'recipient_signature_captured', 'new_device_login',
        'photo_captured', 'item_reconciled', 'batch_assigned', 'batch_started', 'batch_completed'
    )),
    driver_id uuid NOT NULL REFERENCES public.drivers,
    session_id uuid NOT NULL,
    device_id text NOT NULL,
    vehicle_id uuid REFERENCES public.vehicles,
    batch_id uuid REFERENCES public.delivery_batches,
    trip_id uuid,
    dispatch_id uuid,
    lat double precision NOT NULL,
    lng double precision NOT NULL,
    captured_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}',
    sync_status text NOT NULL DEFAULT 'synced' CHECK (sync_status IN ('synced', 'pending', 'failed')),
    sync_attempts integer NOT NULL DEFAULT 0
);
CREATE INDEX mod4_events_driver ON public.mod4_events (driver_id, captured_at DESC);
CREATE INDEX mod4_events_batch ON public.mod4_events (batch_id);
CREATE INDEX mod4_events_received ON public.mod4_events (received_at, event_id);

CREATE FUNCTION public.refuse_change_of_record() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is not allowed', tg_table_name, tg_op;
END
$$;
CREATE TRIGGER mod4_events_append_only BEFORE UPDATE OR DELETE ON public.mod4_events
    FOR EACH ROW EXECUTE FUNCTION public.refuse_change_of_record();

CREATE TABLE public.mod4_event_sync_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    device_id text NOT NULL,
    driver_id uuid NOT NULL,
    encrypted_payload text NOT NULL,
    encryption_iv text NOT NULL,
    retry_count integer NOT NULL DEFAULT 0,
    last_retry_at timestamptz,
    error_message text,
    processed_at timestamptz,
    processed_event_id uuid REFERENCES public.mod4_events,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TYPE public.driver_event_type AS ENUM (
    'ROUTE_STARTED', 'ARRIVED_AT_STOP', 'DEPARTED_STOP', 'DELAY_REPORTED', 'PROOF_CAPTURED', 'ROUTE_COMPLETED',
    'ROUTE_CANCELLED', 'SUPERVISOR_OVERRIDE'
);
CREATE TABLE public.driver_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id uuid NOT NULL REFERENCES auth.users,
    batch_id uuid NOT NULL REFERENCES public.delivery_batches ON DELETE CASCADE,
    session_id uuid,
    event_type public.driver_event_type NOT NULL,
    driver_status public.driver_status NOT NULL,
    location jsonb,
    metadata jsonb DEFAULT '{}',
    recorded_at timestamptz NOT NULL,
    synced_at timestamptz DEFAULT now(),
    flagged_for_review boolean NOT NULL DEFAULT false,
    review_status text CHECK (review_status IN ('pending', 'approved', 'rejected')),
    reviewed_by uuid REFERENCES auth.users,
    reviewed_at timestamptz
);

CREATE TABLE public.route_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    batch_id uuid NOT NULL REFERENCES public.delivery_batches ON DELETE CASCADE,
    facility_id uuid NOT NULL REFERENCES public.facilities,
    vehicle_id uuid REFERENCES public.vehicles ON DELETE SET NULL,
    driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    sequence_number integer NOT NULL,
    planned_arrival timestamptz,
    actual_arrival timestamptz,
    planned_duration integer,
    actual_duration integer,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN (
        'pending', 'in-transit', 'arrived', 'completed', 'skipped'
    )),
    check_in_time timestamptz,
    check_out_time timestamptz,
    proof_of_delivery_url text,
    recipient_name text,
    delay_reason text,
    notes text,
    handoff_id uuid REFERENCES public.handoffs,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX route_history_batch ON public.route_history (batch_id);

CREATE TABLE public.delivery_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    batch_id uuid REFERENCES public.delivery_batches,
    facility_id uuid REFERENCES public.facilities,
    event_type text NOT NULL CHECK (event_type IN ('dispatched', 'arrived', 'delivered', 'returned', 'discrepancy')),
    item_id uuid,
    expected_qty numeric,
    actual_qty numeric,
    discrepancy_reason text,
    logged_by uuid REFERENCES auth.users,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX delivery_logs_batch ON public.delivery_logs (batch_id);
CREATE TRIGGER delivery_logs_immutable BEFORE UPDATE OR DELETE ON public.delivery_logs
    FOR EACH ROW EXECUTE FUNCTION public.refuse_change_of_record();

CREATE TABLE public.facility_deliveries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    facility_id uuid NOT NULL REFERENCES public.facilities ON DELETE CASCADE,
    delivery_date date NOT NULL,
    batch_id uuid REFERENCES public.delivery_batches ON DELETE SET NULL,
    items_delivered integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'completed',
    created_at timestamptz NOT NULL DEFAULT now()
);
