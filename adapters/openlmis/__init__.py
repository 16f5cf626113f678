"""OpenLMIS v3: catalogue, stock, requisitions, orders, shipments and proofs of delivery of an OpenLMIS server."""
