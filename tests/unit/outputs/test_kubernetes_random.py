"""Any valid settings make overlays that build, and whose objects join."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as options

from tests import strategies
from tests.unit.outputs import kubernetes as k8s
from tests.unit.outputs import test_kubernetes_joins as joins
from tests.unit.outputs import test_kubernetes_secrets as secrets

NAME = "random"
CHECKS = [
    joins.test_every_object_is_in_the_namespace_of_its_environment,
    joins.test_selectors_take_the_pods_they_mean_and_no_others,
    joins.test_a_port_number_stands_once_and_is_called_by_name,
    joins.test_pods_get_exactly_the_settings_variables,
    joins.test_every_container_has_equal_requests_and_limits,
    joins.test_pods_fit_the_restricted_profile,
    joins.test_a_scaler_is_the_only_one_to_set_replicas,
    joins.test_hosts_certificates_and_routes_join,
    joins.test_the_network_is_what_uses_and_routes_say,
    joins.test_datastores_run_where_they_are_not_external,
    joins.test_migrations_run_before_the_code_that_needs_them,
    joins.test_a_release_pins_every_image_of_ours,
    secrets.test_every_key_that_a_pod_reads_comes_from_somewhere,
]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@options(
    max_examples=int(os.environ.get("RANDOM_PLATFORMS", "12")),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would build hundreds of overlays
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=strategies.settings())
def test_random_platforms_join(data: dict[str, Any]) -> None:
    k8s.VARIANTS[NAME] = data
    for cached in (k8s.platform, k8s.build, k8s.parsed):
        cached.cache_clear()
    try:
        for environment in k8s.environments(NAME):
            for check in CHECKS:
                check(NAME, environment["name"])
    finally:
        del k8s.VARIANTS[NAME]
