"""Items, stock, requisitions and shipments of every supply system: merging what peers say, and asking what is known."""
