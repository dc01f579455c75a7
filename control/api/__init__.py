"""The part of control that the other services may import: its contract in Python."""
