-- Functions about people and their phones that work as committed (biko.md 3.7). All run with the definer's rights.
CREATE FUNCTION public.ensure_workspace_admin(p_workspace_id uuid) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT public.is_workspace_admin(p_workspace_id) THEN
        RAISE EXCEPTION 'Only workspace owners and admins can manage invitations' USING ERRCODE = '42501';
    END IF;
END
$$;

-- The caller's own membership is not asked for.
CREATE FUNCTION public.get_mod4_linked_users(p_workspace_id uuid)
RETURNS TABLE (
    id uuid, user_id uuid, driver_id uuid, status text, link_method text, linked_by uuid, linked_at timestamptz,
    user_email text, user_name text, linked_by_name text
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT l.id, l.user_id, l.driver_id, l.status, l.link_method, l.linked_by, l.linked_at,
        u.email, p.full_name, b.full_name
    FROM public.mod4_driver_links AS l
    JOIN public.workspace_members AS m ON m.user_id = l.user_id AND m.workspace_id = p_workspace_id
    JOIN auth.users AS u ON u.id = l.user_id
    LEFT JOIN public.profiles AS p ON p.id = l.user_id
    LEFT JOIN public.profiles AS b ON b.id = l.linked_by
    ORDER BY l.linked_at DESC
$$;

CREATE FUNCTION public.get_driver_devices(p_workspace_id uuid)
RETURNS TABLE (
    id uuid, user_id uuid, device_id text, device_name text, platform text, is_trusted boolean,
    registered_at timestamptz, last_seen_at timestamptz, revoked_at timestamptz, user_email text
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT d.id, d.user_id, d.device_id, d.device_name, d.platform, d.is_trusted, d.registered_at, d.last_seen_at,
        d.revoked_at, u.email
    FROM public.driver_devices AS d
    JOIN public.workspace_members AS m ON m.user_id = d.user_id AND m.workspace_id = p_workspace_id
    JOIN auth.users AS u ON u.id = d.user_id
    ORDER BY d.last_seen_at DESC
$$;

CREATE FUNCTION public.validate_driver_device(p_device_id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE public.driver_devices SET last_seen_at = now(), updated_at = now()
    WHERE user_id = auth.uid() AND device_id = p_device_id AND is_trusted AND revoked_at IS NULL;
    RETURN FOUND;
END
$$;

CREATE FUNCTION public.lookup_driver_email(p_identifier text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT u.email FROM auth.users AS u
    JOIN public.mod4_driver_links AS l ON l.user_id = u.id AND l.status = 'active'
    WHERE u.phone = p_identifier
    LIMIT 1
$$;

CREATE FUNCTION public.submit_onboarding_request(
    p_full_name text, p_phone text DEFAULT NULL, p_email text DEFAULT NULL, p_organization_hint text DEFAULT NULL,
    p_device_id text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    made uuid;
BEGIN
    IF nullif(trim(p_phone), '') IS NULL AND nullif(trim(p_email), '') IS NULL THEN
        RAISE EXCEPTION 'Phone or email is required';
    END IF;
    IF p_device_id IS NOT NULL AND 3 <= (
        SELECT count(*) FROM public.onboarding_requests AS r
        WHERE r.device_id = p_device_id AND r.created_at > now() - interval '24 hours'
    ) THEN
        RAISE EXCEPTION 'Too many requests from this device. Please try again later.';
    END IF;
    INSERT INTO public.onboarding_requests (full_name, phone, email, organization_hint, device_id)
    VALUES (trim(p_full_name), p_phone, lower(trim(p_email)), p_organization_hint, p_device_id)
    RETURNING id INTO made;
    RETURN made;
END
$$;

CREATE FUNCTION public.complete_driver_activation(
    p_pin text, p_device_id text, p_device_name text DEFAULT NULL, p_platform text DEFAULT NULL,
    p_user_agent text DEFAULT NULL, p_display_name text DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, extensions AS $$
DECLARE
    caller uuid := auth.uid();
BEGIN
    IF caller IS NULL THEN
        RAISE EXCEPTION 'Not authenticated' USING ERRCODE = '42501';
    END IF;
    IF p_pin !~ '^[0-9]{4}$' THEN
        RAISE EXCEPTION 'PIN must be exactly 4 digits';
    END IF;
    UPDATE auth.users SET encrypted_password = crypt(p_pin, gen_salt('bf')), updated_at = now() WHERE id = caller;
    INSERT INTO driver_devices (user_id, device_id, device_name, platform, user_agent)
    VALUES (caller, p_device_id, p_device_name, p_platform, p_user_agent)
    ON CONFLICT (user_id, device_id) DO UPDATE SET
        device_name = excluded.device_name, platform = excluded.platform, user_agent = excluded.user_agent,
        is_trusted = true, revoked_at = NULL, revoked_by = NULL, last_seen_at = now(), updated_at = now();
    UPDATE drivers AS d SET name = coalesce(nullif(trim(p_display_name), ''), d.name), onboarding_completed = true
    FROM mod4_driver_links AS l WHERE l.user_id = caller AND d.id = l.driver_id;
    RETURN true;
END
$$;

CREATE FUNCTION public.invite_user(
    p_email text, p_workspace_id uuid, p_role_code text DEFAULT 'viewer', p_workspace_role text DEFAULT 'member',
    p_personal_message text DEFAULT NULL
) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    wanted text := lower(trim(p_email));
    made public.user_invitations;
BEGIN
    PERFORM public.ensure_workspace_admin(p_workspace_id);
    IF NOT EXISTS (SELECT 1 FROM public.roles WHERE code = p_role_code) THEN
        RAISE EXCEPTION 'Invalid role code: %', p_role_code;
    END IF;
    IF EXISTS (
        SELECT 1 FROM public.workspace_members AS m JOIN auth.users AS u ON u.id = m.user_id
        WHERE m.workspace_id = p_workspace_id AND m.status = 'active' AND u.email = wanted
    ) THEN
        RAISE EXCEPTION 'User is already a member of this workspace';
    END IF;
    UPDATE public.user_invitations SET
        invitation_token = gen_random_uuid(), role_code = p_role_code, workspace_role = p_workspace_role,
        personal_message = p_personal_message, invited_by = auth.uid(), invited_at = now(),
        expires_at = now() + interval '7 days'
    WHERE email = wanted AND workspace_id = p_workspace_id AND status = 'pending'
    RETURNING * INTO made;
    IF made.id IS NULL THEN
        INSERT INTO public.user_invitations (
            email, workspace_id, role_code, workspace_role, invited_by, personal_message
        ) VALUES (wanted, p_workspace_id, p_role_code, p_workspace_role, auth.uid(), p_personal_message)
        RETURNING * INTO made;
    END IF;
    RETURN json_build_object('id', made.id, 'invitation_token', made.invitation_token);
END
$$;

CREATE FUNCTION public.revoke_invitation(p_invitation_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found_one public.user_invitations;
BEGIN
    SELECT * INTO found_one FROM public.user_invitations WHERE id = p_invitation_id FOR UPDATE;
    IF found_one.id IS NULL THEN
        RAISE EXCEPTION 'Invitation not found';
    END IF;
    PERFORM public.ensure_workspace_admin(found_one.workspace_id);
    IF found_one.status <> 'pending' THEN
        RAISE EXCEPTION 'Invitation is not pending';
    END IF;
    UPDATE public.user_invitations SET status = 'revoked', revoked_by = auth.uid() WHERE id = p_invitation_id;
    RETURN true;
END
$$;

CREATE FUNCTION public.expire_old_invitations() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    changed integer;
BEGIN
    UPDATE public.user_invitations SET status = 'expired' WHERE status = 'pending' AND expires_at <= now();
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;

CREATE FUNCTION public.get_invitation_by_token(p_token uuid) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT json_build_object(
        'id', i.id, 'email', i.email, 'workspace_id', i.workspace_id, 'workspace_name', w.name,
        'role_code', i.role_code, 'workspace_role', i.workspace_role, 'status', i.status,
        'expires_at', i.expires_at, 'is_valid', i.status = 'pending' AND i.expires_at > now()
    )
    FROM public.user_invitations AS i JOIN public.workspaces AS w ON w.id = i.workspace_id
    WHERE i.invitation_token = p_token
$$;

-- No row in drivers comes of it: a driver linked in this way has none (7, item 10).
CREATE FUNCTION public.accept_invitation(p_token uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    caller uuid := auth.uid();
    invited public.user_invitations;
    granted uuid;
BEGIN
    SELECT * INTO invited FROM public.user_invitations WHERE invitation_token = p_token FOR UPDATE;
    IF invited.id IS NULL OR invited.status <> 'pending' OR invited.expires_at <= now() THEN
        RAISE EXCEPTION 'Invitation is invalid or has expired';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM auth.users AS u WHERE u.id = caller AND lower(u.email) = invited.email) THEN
        RAISE EXCEPTION 'Invitation was sent to a different email address';
    END IF;
    SELECT id INTO granted FROM public.roles WHERE code = invited.role_code;
    INSERT INTO public.workspace_members (workspace_id, user_id, role, role_id)
    VALUES (invited.workspace_id, caller, invited.workspace_role, granted)
    ON CONFLICT (workspace_id, user_id) DO UPDATE SET
        role = excluded.role, role_id = excluded.role_id, status = 'active', updated_at = now();
    IF invited.role_code = 'driver' THEN
        INSERT INTO public.mod4_driver_links (user_id, status, link_method, linked_by)
        VALUES (caller, 'active', 'email_invitation', invited.invited_by)
        ON CONFLICT (user_id) DO UPDATE SET status = 'active', updated_at = now()
        WHERE public.mod4_driver_links.status <> 'active';
    END IF;
    UPDATE public.user_invitations SET status = 'accepted', accepted_by = caller WHERE id = invited.id;
    RETURN json_build_object(
        'success', true, 'workspace_id', invited.workspace_id,
        'workspace_name', (SELECT name FROM public.workspaces WHERE id = invited.workspace_id),
        'role_code', invited.role_code, 'workspace_role', invited.workspace_role
    );
END
$$;
