"""Asking model servers what they serve: one file a kind of server."""
