import hashlib
import hmac

from control.key_hashes import key_hash, principal_id

SECRET = bytes(range(32))


def test_a_key_is_hashed_with_hmac_sha_256():
    """Gateways compute the same, so the algorithm is part of the contract."""
    assert key_hash("sk-a", SECRET) == hmac.new(SECRET, b"sk-a", hashlib.sha256).digest()


def test_a_principal_is_named_by_8_hex_digits():
    assert principal_id(b"\x1f\x3a\x9c\x02" + b"\xff" * 28) == "static:1f3a9c02"
