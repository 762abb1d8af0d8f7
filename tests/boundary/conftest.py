"""Small banks of directions: drawing 64 MiB of them takes longer than most searches here."""

from collections.abc import Iterator

import pytest

from db3kd.boundary import guided, normals, sign_opt


@pytest.fixture(scope="module", autouse=True)
def _small_banks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normals, "_MOST_BYTES", 2**20)
        yield
    for module in (guided, sign_opt):
        module._bank.cache_clear()
