"""Which candidate is best and what a name means. Pure; of ours it knows the inventory only."""
