"""What one listener allows its peers. Loose enough for honest trackers, tight enough for everybody else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and counts. Mobile networks put thousands of trackers behind one address."""

    connections: int = 5000
    connections_per_address: int = 2500
    idle_s: float = 20 * 60.0  # without a good frame; trackers send a heartbeat every 3 to 5 minutes
    first_frame_s: float = 60.0  # from connecting to the first good frame
    skipped_bytes: int = 64 * 1024  # of one connection since its last good frame
    unread_reply_bytes: int = 16 * 1024  # waiting for a peer that does not read
    bytes_per_sweep: int = 4 * 1024 * 1024  # of one connection; more waits for the next sweep
    bytes_per_turn: int = 32 * 1024  # of one connection before the others have their turn
    sweep_s: float = 1.0
    udp_sessions: int = 10_000
    udp_idle_s: float = 10 * 60.0
    udp_waiting: int = 2000  # datagrams held while the store has no room
    last_commit_s: float = 0.35  # how long an ending listener waits for a commit that is under way
    goodbye_s: float = 0.2  # and for what its peers had sent before they heard that it ends
    quiet_s: float = 0.02  # a moment in which nothing arrives ends that wait
