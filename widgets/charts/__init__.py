"""Charts over time for long series: drawn from min/max pyramids, panned smoothly over a year of readings."""
