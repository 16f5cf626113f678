"""NHLMIS of Nigeria: orders in, stock reports and shipments out, by a profile where no contract is public."""
