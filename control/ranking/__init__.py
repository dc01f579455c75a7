"""Which candidate is best, why, and what a name means. Pure: no clock, no network, no logging."""
