"""Whether a Lease says that an operator runs, before finalizers are removed from its objects."""

from __future__ import annotations

import httpx
import pytest

from nemo_eval_operator.kube import LeaseClient, OverHttpx
from nemo_eval_operator.uninstall import OperatorRunning, refuse_beside_an_operator


async def refused(renewed: str, seconds: int) -> bool:
    spec = {"holderIdentity": "operator-1", "renewTime": renewed, "leaseDurationSeconds": seconds}
    lease = {"metadata": {"name": "operator", "namespace": "system"}, "spec": spec}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"items": [lease]}))
    leases = LeaseClient(OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport)))
    try:
        await refuse_beside_an_operator(leases, "operator", None, print)
    except OperatorRunning:
        return True
    return False


@pytest.mark.parametrize("seconds", [15, 2**31 - 1])
@pytest.mark.parametrize("renewed", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999-14:00"])
async def test_a_lease_that_was_renewed_in_the_future_is_held(renewed: str, seconds: int) -> None:
    assert await refused(renewed, seconds)


@pytest.mark.parametrize("seconds", [15, 2**31 - 1])
@pytest.mark.parametrize("renewed", ["0001-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000+14:00"])
async def test_a_lease_that_was_renewed_in_the_year_1_has_run_out(renewed: str, seconds: int) -> None:
    assert not await refused(renewed, seconds)
