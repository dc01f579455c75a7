"""Which request policy applies where: merged of what is inferred, of assets and of roles."""
