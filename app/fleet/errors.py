"""What can be wrong with a wish about trackers and vehicles, as sentences for the operator.

FleetError
├── NotFound          nothing has this id, IMEI, plate or name
├── Ambiguous         several have it
├── AlreadyAdopted    the tracker is on that vehicle already
├── AlreadyExists     another vehicle has the plate
└── NotAllowed        the wish makes no sense in the present state
"""

from __future__ import annotations

from app.errors import OperatorError


class FleetError(OperatorError):
    """Base of everything the fleet's acts refuse; nothing was changed."""


class NotFound(FleetError):
    """Nothing has this id, IMEI, plate or name."""


class Ambiguous(FleetError):
    """Several things answer to the name given."""


class AlreadyAdopted(FleetError):
    """The tracker is on that vehicle already."""


class AlreadyExists(FleetError):
    """Another vehicle has the plate."""


class NotAllowed(FleetError):
    """The wish makes no sense in the present state."""
