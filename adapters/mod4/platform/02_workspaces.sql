-- Workspaces, their members and roles, settings (biko.md 3.8, 1.5, and 7 item 12).
CREATE TABLE public.workspaces (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.roles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code text NOT NULL UNIQUE CHECK (code IN ('owner', 'admin', 'ops_manager', 'fleet_manager', 'driver', 'viewer')),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO public.roles (code, name) VALUES
    ('owner', 'Owner'), ('admin', 'Administrator'), ('ops_manager', 'Operations Manager'),
    ('fleet_manager', 'Fleet Manager'), ('driver', 'Driver'), ('viewer', 'Viewer');

CREATE TABLE public.workspace_members (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    role_id uuid REFERENCES public.roles,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, user_id)
);
CREATE INDEX workspace_members_user ON public.workspace_members (user_id);

-- The column "role" was dropped with its type in the rewrite of March 2026; some functions still fill it.
CREATE TABLE public.user_roles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    role_id uuid NOT NULL REFERENCES public.roles,
    assigned_by uuid REFERENCES auth.users ON DELETE SET NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, role_id)
);

CREATE TABLE public.profiles (
    id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    full_name text,
    email text,
    phone text,
    avatar_url text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The backup card of the web page asks for setting_key and setting_value, which are not here.
CREATE TABLE public.system_settings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid REFERENCES public.workspaces ON DELETE CASCADE,
    key text NOT NULL,
    value_text text,
    value_numeric numeric,
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (workspace_id, key)
);

CREATE FUNCTION public.is_workspace_member_v2(p_workspace_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT 1 FROM public.workspace_members AS m
        WHERE m.workspace_id = p_workspace_id AND m.user_id = auth.uid() AND m.status = 'active'
    )
$$;

CREATE FUNCTION public.is_workspace_admin(p_workspace_id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT 1 FROM public.workspace_members AS m
        WHERE m.workspace_id = p_workspace_id AND m.user_id = auth.uid() AND m.status = 'active'
            AND m.role IN ('owner', 'admin')
    )
$$;

CREATE FUNCTION public.has_workspace_role(p_workspace_id uuid, p_codes text[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (
        SELECT 1 FROM public.workspace_members AS m JOIN public.roles AS r ON r.id = m.role_id
        WHERE m.workspace_id = p_workspace_id AND m.user_id = auth.uid() AND m.status = 'active'
            AND r.code = ANY (p_codes)
    )
$$;

CREATE FUNCTION public.is_member_of_any_workspace() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT 1 FROM public.workspace_members AS m WHERE m.user_id = auth.uid() AND m.status = 'active')
$$;
