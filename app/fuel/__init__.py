"""Fuel: from readings to litres, refuels, drains and consumption."""
