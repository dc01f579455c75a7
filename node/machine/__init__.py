"""What the machine has, how busy it is, and whether its owner lends it now."""
