"""The steps by which a store came to its tables, in ``versions``; written out, never importing the live models."""
