-- Batches and what hangs on them, dispatch runs, planning (biko.md 4.4 to 4.6).
CREATE TYPE public.batch_status AS ENUM ('planned', 'assigned', 'in-progress', 'completed', 'cancelled');
CREATE TYPE public.delivery_priority AS ENUM ('low', 'medium', 'high', 'urgent');
CREATE TYPE public.driver_status AS ENUM (
    'INACTIVE', 'ACTIVE', 'EN_ROUTE', 'AT_STOP', 'DELAYED', 'COMPLETED', 'SUSPENDED'
);

CREATE TABLE public.delivery_batches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    warehouse_id uuid NOT NULL REFERENCES public.warehouses,
    scheduled_date date NOT NULL,
    scheduled_time time NOT NULL,
    status public.batch_status NOT NULL DEFAULT 'planned',
    priority public.delivery_priority NOT NULL DEFAULT 'medium',
    total_distance numeric NOT NULL,
    estimated_duration integer NOT NULL,
    medication_type text NOT NULL,
    total_quantity integer NOT NULL,
    optimized_route jsonb NOT NULL,
    facility_ids uuid[] NOT NULL,
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    vehicle_id uuid REFERENCES public.vehicles ON DELETE SET NULL,
    vehicle_ids uuid[],
    actual_start_time timestamptz,
    actual_end_time timestamptz,
    driver_status public.driver_status DEFAULT 'INACTIVE',
    current_stop_index integer DEFAULT 0,
    execution_metadata jsonb DEFAULT '{}',
    batch_snapshot jsonb,
    snapshot_locked_at timestamptz,
    is_snapshot_locked boolean NOT NULL DEFAULT false,
    notes text,
    total_weight numeric,
    total_volume numeric,
    payload_utilization_pct numeric,
    slot_assignments jsonb,
    pre_batch_id uuid,
    dispatch_node_id uuid REFERENCES public.warehouses,
    planning_window_start timestamptz,
    planning_window_end timestamptz,
    facility_packaging jsonb,
    route_fallback_used boolean DEFAULT false,
    correlation_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX delivery_batches_workspace ON public.delivery_batches (workspace_id, status);
CREATE INDEX delivery_batches_changed ON public.delivery_batches (updated_at);
ALTER TABLE public.vehicle_trips ADD FOREIGN KEY (batch_id) REFERENCES public.delivery_batches ON DELETE SET NULL;

-- Facilities stand as text here.
CREATE TABLE public.batch_slot_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    batch_id uuid NOT NULL REFERENCES public.delivery_batches ON DELETE CASCADE,
    vehicle_id text,
    facility_id text NOT NULL,
    slot_key text NOT NULL,
    tier_name text,
    slot_number integer,
    load_kg numeric,
    load_volume_m3 numeric,
    status text NOT NULL DEFAULT 'assigned' CHECK (status IN ('assigned', 'loaded', 'removed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (batch_id, facility_id),
    UNIQUE (batch_id, slot_key)
);

CREATE TABLE public.batch_invoice_links (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    batch_id uuid NOT NULL REFERENCES public.delivery_batches ON DELETE CASCADE,
    invoice_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (batch_id, invoice_id)
);

CREATE TABLE public.requisitions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    requisition_number text NOT NULL UNIQUE,
    facility_id uuid NOT NULL REFERENCES public.facilities,
    warehouse_id uuid REFERENCES public.warehouses,
    workspace_id uuid REFERENCES public.workspaces ON DELETE CASCADE,
    batch_id uuid REFERENCES public.delivery_batches ON DELETE SET NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN (
        'pending', 'approved', 'packaged', 'ready_for_dispatch', 'assigned_to_batch', 'in_transit', 'fulfilled',
        'partially_delivered', 'failed', 'rejected', 'cancelled'
    )),
    priority public.delivery_priority NOT NULL DEFAULT 'medium',
    notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX requisitions_batch ON public.requisitions (batch_id);

CREATE TABLE public.dispatch_runs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    batch_id uuid NOT NULL REFERENCES public.delivery_batches ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN (
        'planned', 'loading', 'pending', 'departed', 'dispatched', 'in_transit', 'delayed', 'partial_delivery',
        'returned', 'completed', 'failed', 'cancelled'
    )),
    vehicle_id uuid REFERENCES public.vehicles ON DELETE SET NULL,
    vehicle_ids uuid[],
    driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    planned_departure timestamptz,
    planned_return timestamptz,
    dispatched_at timestamptz,
    departed_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,
    estimated_arrival timestamptz,
    stops_total integer NOT NULL DEFAULT 0,
    stops_completed integer NOT NULL DEFAULT 0,
    distance_km numeric,
    duration_min integer,
    notes text,
    cancel_reason text,
    returned_deliveries jsonb,
    vehicle_allocations jsonb,
    created_by uuid REFERENCES auth.users,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX dispatch_runs_one_active ON public.dispatch_runs (batch_id)
    WHERE status IN ('pending', 'dispatched', 'in_transit');

CREATE FUNCTION public.guard_dispatch_run() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF new.status IS DISTINCT FROM old.status THEN
        IF NOT (
            (old.status = 'pending' AND new.status IN ('dispatched', 'cancelled'))
            OR (old.status = 'dispatched' AND new.status IN ('in_transit', 'cancelled'))
            OR (old.status = 'in_transit' AND new.status IN ('completed', 'cancelled'))
        ) THEN
            RAISE EXCEPTION 'Invalid dispatch run transition: % -> %', old.status, new.status;
        END IF;
        CASE new.status
            WHEN 'dispatched' THEN new.dispatched_at := coalesce(new.dispatched_at, now());
            WHEN 'in_transit' THEN new.departed_at := coalesce(new.departed_at, now());
            WHEN 'completed' THEN new.completed_at := coalesce(new.completed_at, now());
            ELSE new.cancelled_at := coalesce(new.cancelled_at, now());
        END CASE;
    END IF;
    new.updated_at := now();
    RETURN new;
END
$$;
CREATE TRIGGER guard_dispatch_run BEFORE UPDATE ON public.dispatch_runs
    FOR EACH ROW EXECUTE FUNCTION public.guard_dispatch_run();

CREATE TABLE public.delivery_schedules (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL,
    warehouse_id uuid NOT NULL REFERENCES public.warehouses,
    planned_date date NOT NULL,
    time_window text NOT NULL DEFAULT 'all_day' CHECK (time_window IN ('morning', 'afternoon', 'evening', 'all_day')),
    route jsonb,
    vehicle_id uuid REFERENCES public.vehicles ON DELETE SET NULL,
    driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    facility_ids uuid[] NOT NULL DEFAULT '{}',
    total_payload_kg numeric,
    total_volume_m3 numeric,
    optimization_method text CHECK (optimization_method IN ('manual', 'ai_optimized')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN (
        'draft', 'confirmed', 'exported', 'dispatched', 'cancelled'
    )),
    confirmed_at timestamptz,
    dispatched_at timestamptz,
    notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.handoffs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    from_vehicle_id uuid NOT NULL REFERENCES public.vehicles,
    to_vehicle_id uuid NOT NULL REFERENCES public.vehicles,
    original_batch_id uuid NOT NULL REFERENCES public.delivery_batches ON DELETE CASCADE,
    location_lat double precision NOT NULL,
    location_lng double precision NOT NULL,
    scheduled_time timestamptz,
    actual_time timestamptz,
    status text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'in_progress', 'completed', 'cancelled')),
    notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
