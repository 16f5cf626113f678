-- Drivers, vehicles, places (biko.md 4.2, 4.3, 4.4 at its end).
CREATE TYPE public.license_type AS ENUM ('standard', 'commercial');
CREATE TYPE public.driver_state AS ENUM ('available', 'busy', 'offline', 'on_break');
CREATE TYPE public.fuel_type AS ENUM ('diesel', 'petrol', 'electric');
CREATE TYPE public.vehicle_status AS ENUM ('available', 'in-use', 'maintenance');

CREATE TABLE public.drivers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    phone text NOT NULL,
    license_type public.license_type NOT NULL,
    shift_start time NOT NULL,
    shift_end time NOT NULL,
    max_hours integer NOT NULL DEFAULT 8,
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    email text,
    status public.driver_state DEFAULT 'available',
    current_lat double precision,
    current_lng double precision,
    location_updated_at timestamptz,
    license_number text,
    license_state text,
    license_expiry date,
    license_verified boolean DEFAULT false,
    onboarding_completed boolean DEFAULT false,
    documents_complete boolean DEFAULT false,
    performance_score numeric,
    total_deliveries integer DEFAULT 0,
    on_time_percentage numeric,
    employment_type text,
    position text,
    employer text,
    group_name text,
    start_date date,
    profile_photo_url text,
    middle_name text,
    date_of_birth date,
    address_line1 text,
    address_line2 text,
    city text,
    state text,
    postal_code text,
    country text,
    emergency_contact_name text,
    emergency_contact_phone text,
    federal_id text,
    preferred_services text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX drivers_workspace ON public.drivers (workspace_id);

CREATE TABLE public.driver_availability (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id uuid NOT NULL REFERENCES public.drivers ON DELETE CASCADE,
    date date NOT NULL,
    available boolean NOT NULL DEFAULT true,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (driver_id, date)
);

CREATE TABLE public.driver_documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id uuid NOT NULL REFERENCES public.drivers ON DELETE CASCADE,
    document_type text NOT NULL,
    file_url text,
    expiry_date date,
    status text NOT NULL DEFAULT 'pending',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.vehicles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    type text NOT NULL,
    model text NOT NULL,
    plate_number text NOT NULL UNIQUE,
    capacity numeric NOT NULL,
    max_weight numeric NOT NULL,
    fuel_type public.fuel_type NOT NULL,
    avg_speed numeric NOT NULL DEFAULT 40,
    status public.vehicle_status NOT NULL DEFAULT 'available',
    fuel_efficiency numeric NOT NULL,
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    license_plate text,
    make text,
    year integer,
    current_driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    fleet_id uuid,
    total_slots integer,
    tiered_config jsonb,
    capacity_kg numeric,
    capacity_m3 numeric,
    current_mileage numeric,
    telematics_provider text,
    telematics_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX vehicles_workspace ON public.vehicles (workspace_id);

CREATE TABLE public.driver_vehicle_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    driver_id uuid NOT NULL REFERENCES public.drivers ON DELETE CASCADE,
    vehicle_id uuid NOT NULL REFERENCES public.vehicles ON DELETE CASCADE,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    unassigned_at timestamptz,
    is_current boolean NOT NULL DEFAULT true,
    total_trips integer DEFAULT 0,
    total_distance numeric DEFAULT 0
);

CREATE TABLE public.warehouses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    address text NOT NULL,
    lat double precision NOT NULL,
    lng double precision NOT NULL,
    workspace_id uuid REFERENCES public.workspaces ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.facilities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    address text NOT NULL,
    lat double precision NOT NULL,
    lng double precision NOT NULL,
    phone text,
    contact_person text,
    workspace_id uuid REFERENCES public.workspaces ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.vehicle_trips (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    vehicle_id uuid NOT NULL REFERENCES public.vehicles ON DELETE CASCADE,
    driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    batch_id uuid,
    start_time timestamptz NOT NULL,
    end_time timestamptz,
    start_odometer numeric,
    end_odometer numeric,
    fuel_consumed numeric,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
