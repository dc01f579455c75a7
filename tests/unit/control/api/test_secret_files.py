"""A secret is read from a file that not everybody can read."""

import os

import pytest

from control.api.secret_files import open_to_all, read_secret

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes say nothing here")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o660])
def test_a_file_for_some_is_read(tmp_path, mode):
    path = tmp_path / "key.pem"
    path.write_bytes(b"secret")
    path.chmod(mode)

    assert not open_to_all(path)
    assert read_secret(path) == b"secret"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o777])
def test_a_file_for_all_is_refused(tmp_path, mode):
    path = tmp_path / "key.pem"
    path.write_bytes(b"secret")
    path.chmod(mode)

    with pytest.raises(PermissionError, match="everybody can read it") as refused:
        read_secret(path)
    assert refused.value.filename == str(path)
