-- What a hosted platform brings along: roles, accounts, the identity of a caller, and the functions of pgcrypto.
-- Roles belong to the server, everything else to the database.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;
ALTER ROLE service_role BYPASSRLS;

CREATE SCHEMA auth;
CREATE SCHEMA extensions;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
GRANT USAGE ON SCHEMA auth, extensions TO anon, authenticated, service_role;

CREATE TABLE auth.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text UNIQUE,
    phone text UNIQUE,
    encrypted_password text,
    email_confirmed_at timestamptz,
    last_sign_in_at timestamptz,
    raw_user_meta_data jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid
$$;

CREATE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
$$;

-- SIMULATION ONLY. Stand-ins for pgcrypto, which the embedded server lacks: same names, arguments and shapes of
-- results (a hash has 60 characters and names its cost), made of functions of the core. They cost nothing to try, so
-- they protect nothing.
CREATE FUNCTION extensions.gen_random_bytes(count integer) RETURNS bytea LANGUAGE plpgsql VOLATILE STRICT AS $$
DECLARE
    made bytea := '';
BEGIN
    IF count < 1 OR count > 1024 THEN
        RAISE EXCEPTION 'Length not in range' USING ERRCODE = '39000';
    END IF;
    WHILE length(made) < count LOOP
        made := made || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    END LOOP;
    RETURN substr(made, 1, count);
END
$$;

CREATE FUNCTION extensions.gen_salt(kind text, cost integer DEFAULT 6) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT AS $$
BEGIN
    IF kind <> 'bf' THEN
        RAISE EXCEPTION 'gen_salt: Unknown salt algorithm' USING ERRCODE = '22023';
    END IF;
    RETURN '$2a$' || lpad(cost::text, 2, '0') || '$'
        || left(translate(encode(extensions.gen_random_bytes(17), 'base64'), '+=', './'), 22);
END
$$;

CREATE FUNCTION extensions.crypt(secret text, salt text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    IF salt !~ '^\$2[aby]\$\d\d\$.{22}' THEN
        RAISE EXCEPTION 'invalid salt' USING ERRCODE = '22023';
    END IF;
    RETURN left(salt, 29)
        || left(translate(encode(sha256(convert_to(left(salt, 29) || secret, 'UTF8')), 'base64'), '+=', './'), 31);
END
$$;
