"""Finding refuels and drains in the litres of one tank (fuel-analytics.md 5)."""
