"""What operators write about routing: the catalog of roles and settings, checked and followed."""
