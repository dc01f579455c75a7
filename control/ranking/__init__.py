"""Which candidate is best and what a name means. Pure; imports the standard library only."""
