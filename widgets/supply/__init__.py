"""The page Supply: items, stock, requisitions and shipments of every supply system."""
