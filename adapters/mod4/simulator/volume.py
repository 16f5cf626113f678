"""A platform of a great size, for measurements: made inside the database, in seconds."""

from __future__ import annotations

from typing import Any

import psycopg

from adapters.mod4.simulator.world import World

_LINKS = """
WITH made AS (
    SELECT n, gen_random_uuid() AS user_id, gen_random_uuid() AS driver_id FROM generate_series(1, %(links)s) AS n
), users AS (
    INSERT INTO auth.users (id, email, phone, created_at)
    SELECT user_id, format('driver%%s@volume.example', n), format('+23481%%s', lpad(n::text, 8, '0')), now()
    FROM made
), profiles AS (
    INSERT INTO public.profiles (id, full_name, email)
    SELECT user_id, format('Driver %%s', n), format('driver%%s@volume.example', n) FROM made
), members AS (
    INSERT INTO public.workspace_members (workspace_id, user_id, role, role_id)
    SELECT %(workspace)s, user_id, 'member', (SELECT id FROM public.roles WHERE code = 'driver') FROM made
), drivers AS (
    INSERT INTO public.drivers (id, name, phone, email, license_type, shift_start, shift_end, workspace_id)
    SELECT driver_id, format('Driver %%s', n), format('+23481%%s', lpad(n::text, 8, '0')),
        format('driver%%s@volume.example', n), 'commercial', '07:00', '17:00', %(workspace)s
    FROM made
)
INSERT INTO public.mod4_driver_links (user_id, driver_id, status, link_method, linked_by, linked_at)
SELECT user_id, driver_id, CASE n %% 20 WHEN 0 THEN 'suspended' WHEN 1 THEN 'revoked' ELSE 'active' END, 'otp',
    user_id, now() - make_interval(mins => n)
FROM made
"""

_BATCHES = """
INSERT INTO public.delivery_batches (
    name, warehouse_id, scheduled_date, scheduled_time, status, priority, total_distance, estimated_duration,
    medication_type, total_quantity, optimized_route, facility_ids, workspace_id, driver_id, vehicle_id, created_at,
    updated_at
)
SELECT format('Volume %%s', n), %(warehouse)s, current_date - n / 150, time '08:00',
    (ARRAY['completed', 'completed', 'completed', 'cancelled', 'assigned', 'planned'])[
        CASE WHEN n > 300 THEN 1 + n %% 4 ELSE 1 + n %% 6 END
    ]::public.batch_status,
    'medium', 120, 300, 'Essential medicines', 400, '{}', stops.ids[1 + n %% 20 : 5 + n %% 20], %(workspace)s,
    people.ids[1 + n %% people.count], cars.ids[1 + n %% cars.count], now() - make_interval(mins => n * 9),
    now() - make_interval(mins => n * 9)
FROM generate_series(1, %(batches)s) AS n,
    (SELECT array_agg(id ORDER BY name) AS ids FROM public.facilities) AS stops,
    (SELECT array_agg(id) AS ids, count(*)::integer AS count FROM public.drivers WHERE workspace_id = %(workspace)s)
        AS people,
    (SELECT array_agg(id) AS ids, count(*)::integer AS count FROM public.vehicles WHERE workspace_id = %(workspace)s)
        AS cars
"""

_EVENTS = """
INSERT INTO public.mod4_events (
    event_type, driver_id, session_id, device_id, vehicle_id, batch_id, lat, lng, captured_at, received_at, metadata
)
SELECT (ARRAY['delivery_started', 'photo_captured', 'delivery_completed', 'location_captured'])[1 + n %% 4],
    b.driver_id, b.id, 'volume', b.vehicle_id, b.id, 9.6 + (n %% 1000) / 2000.0, 6.5 + (n %% 777) / 2000.0,
    b.created_at + make_interval(secs => n %% 20000), b.created_at + make_interval(secs => n %% 20000 + 3),
    jsonb_build_object('facilityId', b.facility_ids[1 + n %% 5], 'stopIndex', n %% 5, 'itemsDelivered', 3)
FROM (
    SELECT d.*, k * 7919 + row_number() OVER () AS n
    FROM generate_series(1, 1 + %(events)s / (SELECT count(*) FROM public.delivery_batches)::integer) AS k,
        public.delivery_batches AS d
    WHERE d.workspace_id = %(workspace)s AND d.driver_id IS NOT NULL
    LIMIT %(events)s
) AS b
"""


def enlarge(
    connection: psycopg.Connection[Any], world: World, *, links: int = 0, batches: int = 0, events: int = 0
) -> None:
    """So many more links (with accounts, drivers, memberships), batches of five stops, and events."""
    given = {
        "links": links,
        "batches": batches,
        "events": events,
        "workspace": world.workspace_id,
        "warehouse": world.warehouses[0],
    }
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")  # keys hold by the way rows are made
        for count, statement in ((links, _LINKS), (batches, _BATCHES), (events, _EVENTS)):
            if count:
                connection.execute(statement, given)
    connection.execute("ANALYZE")
