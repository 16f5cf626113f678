"""The searchable log over everything: runs and connections, events of devices, operators' acts, records set aside."""
