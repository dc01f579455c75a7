"""How static keys are known outside of the configuration: never as they are."""

import hmac


def key_hash(key: str, hash_secret: bytes) -> bytes:
    """Return HMAC-SHA-256 of a key, 32 bytes. hash_secret: made with the store."""
    return hmac.digest(hash_secret, key.encode(), "sha256")


def principal_id(hashed: bytes) -> str:
    """Return the name of whoever presents the key with this hash, fit for logs."""
    return f"static:{hashed.hex()[:8]}"
