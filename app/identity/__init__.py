"""The identity map: facilities, items, programmes and vehicles of several systems, and which of them are the same."""
