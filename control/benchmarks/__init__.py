"""Results of benchmark runs: taken, kept, listed, and what they say of services."""
