"""The sensor workbench: ports, search, live values, settings, traffic, the passport of a sensor."""
