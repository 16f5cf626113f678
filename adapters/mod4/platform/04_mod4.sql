-- Links, codes, requests, devices, invitations (biko.md 3.1 to 3.5).
CREATE TABLE public.mod4_driver_links (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL UNIQUE REFERENCES auth.users ON DELETE CASCADE,
    driver_id uuid REFERENCES public.drivers ON DELETE SET NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'revoked')),
    link_method text NOT NULL CHECK (link_method IN ('email_invitation', 'otp', 'admin_direct')),
    linked_by uuid NOT NULL REFERENCES auth.users,
    linked_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mod4_driver_links_driver ON public.mod4_driver_links (driver_id);

CREATE TABLE public.mod4_otp_codes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    target_email text NOT NULL,
    otp_code text NOT NULL,
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'used', 'expired')),
    created_by uuid REFERENCES auth.users,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '15 minutes',
    used_at timestamptz,
    used_by uuid REFERENCES auth.users,
    attempts integer DEFAULT 0,
    max_attempts integer DEFAULT 5,
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX mod4_otp_codes_target ON public.mod4_otp_codes (target_email, status);

CREATE TABLE public.onboarding_requests (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    full_name text NOT NULL,
    phone text,
    email text,
    organization_hint text,
    device_id text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    reviewed_by uuid REFERENCES auth.users,
    reviewed_at timestamptz,
    reviewer_notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.driver_devices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    device_id text NOT NULL,
    device_name text,
    platform text,
    user_agent text,
    is_trusted boolean NOT NULL DEFAULT true,
    registered_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    revoked_by uuid REFERENCES auth.users,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, device_id)
);

CREATE TYPE public.invitation_status AS ENUM ('pending', 'accepted', 'expired', 'revoked');
CREATE TABLE public.user_invitations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text NOT NULL,
    workspace_id uuid NOT NULL REFERENCES public.workspaces ON DELETE CASCADE,
    role_code text NOT NULL DEFAULT 'viewer',
    workspace_role text NOT NULL DEFAULT 'member' CHECK (workspace_role IN ('owner', 'admin', 'member', 'viewer')),
    invitation_token uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    status public.invitation_status NOT NULL DEFAULT 'pending',
    invited_by uuid NOT NULL REFERENCES auth.users,
    invited_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '7 days',
    personal_message text,
    accepted_at timestamptz,
    accepted_by uuid REFERENCES auth.users,
    revoked_at timestamptz,
    revoked_by uuid REFERENCES auth.users,
    expired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX user_invitations_one_pending ON public.user_invitations (email, workspace_id)
    WHERE status = 'pending';

CREATE FUNCTION public.stamp_invitation() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF new.status IS DISTINCT FROM old.status THEN
        IF new.status = 'accepted' THEN
            new.accepted_at := coalesce(new.accepted_at, now());
        ELSIF new.status = 'revoked' THEN
            new.revoked_at := coalesce(new.revoked_at, now());
        ELSIF new.status = 'expired' THEN
            new.expired_at := coalesce(new.expired_at, now());
        END IF;
    END IF;
    new.updated_at := now();
    RETURN new;
END
$$;
CREATE TRIGGER stamp_invitation BEFORE UPDATE ON public.user_invitations
    FOR EACH ROW EXECUTE FUNCTION public.stamp_invitation();

CREATE VIEW public.all_invitations_view AS
    SELECT i.id, i.email, i.workspace_id, w.name AS workspace_name, i.role_code, i.workspace_role,
        i.invitation_token, i.status, i.invited_by, p.full_name AS invited_by_name, i.invited_at, i.expires_at,
        i.accepted_at, i.revoked_at, i.expired_at, i.personal_message, i.created_at, i.updated_at
    FROM public.user_invitations AS i
    JOIN public.workspaces AS w ON w.id = i.workspace_id
    LEFT JOIN public.profiles AS p ON p.id = i.invited_by
    WHERE public.is_workspace_member_v2(i.workspace_id);

CREATE VIEW public.pending_invitations_view AS
    SELECT v.*, extract(epoch FROM v.expires_at - now()) / 3600 AS hours_until_expiry
    FROM public.all_invitations_view AS v
    WHERE v.status = 'pending' AND v.expires_at > now();
