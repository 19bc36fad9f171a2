"""What Prometheus is told to scrape, and the ports that published images have beside their first one."""

import pytest

from tests.unit.audit.test_stacks import deployment, findings, service

COMPOSE = (
    "services:\n  shop:\n    build: .\n    environment: { PORT: 8080 }\n    ports: ['8080:8080']\n"
    "  queue:\n    image: rabbitmq:4.1-management\n"
)


def scraping(*targets, extra=""):
    listed = "".join(f"          - {one}\n" for one in targets)
    return {
        "docker-compose.yml": COMPOSE,
        "ops/prometheus.yml": "scrape_configs:\n  - job_name: all\n    static_configs:\n      - targets:\n"
        f"{listed}{extra}",
    }


@pytest.mark.parametrize(
    ("target", "count"),
    [
        ("shop:8080", 0),
        ("queue:15692", 0),
        ("localhost:9090", 0),
        ("https://shop.example", 0),
        ("mail-exporter:9117", 1),
    ],
)
def test_the_hosts_that_are_scraped(target, count):
    found = findings(scraping(target), "undefined-host", "upstream-port-mismatch")
    assert [(one.severity, one.locations[0].line, one.locations[0].value) for one in found] == [
        ("medium", 5, target)
    ] * count


def test_hosts_that_one_file_scrapes_in_vain_are_one_finding():
    (found,) = findings(scraping("mail-exporter:9117", "disk-exporter:9100"), "undefined-host")
    assert found.title == (
        "ops/prometheus.yml scrapes hosts that no service or container is called: disk-exporter, mail-exporter"
    )


def test_a_port_that_a_service_does_not_have_is_scraped():
    (found,) = findings(scraping("shop:9000"), "upstream-port-mismatch")
    assert (found.severity, {one.path for one in found.locations}) == (
        "medium",
        {"ops/prometheus.yml", "docker-compose.yml"},
    )


def test_targets_that_labels_send_elsewhere_are_no_hosts():
    relabel = "    relabel_configs:\n      - { target_label: __address__, replacement: 'prober:9115' }\n"
    assert findings(scraping("mail-exporter:9117", extra=relabel), "undefined-host") == ()


def test_one_job_of_labels_says_nothing_of_the_next_one_in_a_config_map():
    text = scraping("mail-exporter:9117")["ops/prometheus.yml"]
    relabel = "    relabel_configs:\n      - target_label: __address__\n        replacement: prober:9115\n"
    text += f"{relabel}  - job_name: disks\n    static_configs: [{{ targets: ['disk:9100'] }}]\n"
    text += "  - job_name: shops\n    static_configs:\n      - targets: ['shop-exporter:9100']\n"
    inside = "".join(f"    {line}\n" for line in text.splitlines())
    files = {
        "k8s/shop.yaml": service(80, 8080, name="shop"),
        "k8s/monitor.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: monitor }\ndata:\n"
        f"  prometheus.yml: |\n{inside}",
    }
    (found,) = findings(files, "undefined-host")
    assert (found.title, found.confidence) == (
        "k8s/monitor.yaml scrapes hosts that no service or container is called: shop-exporter",
        "low",
    )


@pytest.mark.parametrize(("port", "count"), [(4369, 0), (15692, 0), (8099, 1)])
def test_a_service_of_a_published_image_has_its_other_ports(port, count):
    workload = deployment("queue", "rabbitmq:4.1-management", 5672)
    files = {"k8s/queue.yaml": f"{workload}---\n{service(5672, port, name='queue', selector='app: queue')}"}
    assert len(findings(files, "service-target-port-mismatch")) == count


@pytest.mark.parametrize(
    ("exposed", "severities"),
    [([80, 5004], ["medium"]), ([80, 7206], []), ([80], []), ([80, 7206, 9090], []), ([5004], ["critical"])],
)
def test_the_second_port_of_an_image_and_of_its_container(exposed, severities):
    lines = "".join(f"EXPOSE {port}\n" for port in exposed)
    files = {
        "docker-compose.yml": "services:\n  cart:\n    build: ./cart\n    ports: ['8000:80', '8001:7206']\n",
        "cart/Dockerfile": f"FROM mcr.microsoft.com/dotnet/aspnet:10.0\n{lines}COPY . .\n",
    }
    assert [one.severity for one in findings(files, "port-mismatch")] == severities
