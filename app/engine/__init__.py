"""The standing work: one coordinator per enabled integration, its hosts and its supervision."""
