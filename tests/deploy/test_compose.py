"""The compose files: what may run how, and that all they name is there."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import FOREIGN, PREFIX, Settings
from tests.deploy.expressions import PROMETHEUS
from tests.helpers import ROOT, environment, missing

DEPLOY = ROOT / "deploy"
LINTER = ROOT / "build/dclint"
FILES = ("compose.yaml", "compose.tls.yaml", "compose.keys.yaml")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text("utf-8"))
    return found


SERVICES: dict[str, dict[str, Any]] = read("compose.yaml")["services"]
ONCE = {"seed", "mnist", "labels", "retrain"}  # run, and end
LASTING = SERVICES.keys() - ONCE


def provide_linter() -> None:
    """dclint as locked, fetched from the npm registry once."""
    if shutil.which("npm") is None:
        missing("npm is needed to fetch dclint: install it (Debian: npm)")
    lock = "package-lock.json"
    there = LINTER / lock
    files = ROOT / "tests/deploy/dclint"
    if there.exists() and there.read_bytes() == (files / lock).read_bytes():
        return
    shutil.copytree(files, LINTER, dirs_exist_ok=True)
    there.unlink()  # until all is there
    shutil.copy(files / lock, LINTER / "npm-shrinkwrap.json")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=LINTER, check=True, capture_output=True)
    shutil.copy(files / lock, there)


def lint(file: Path) -> str:
    """What dclint says of a file; nothing where all is well."""
    provide_linter()
    program = LINTER / "node_modules/dclint/bin/dclint.cjs"
    command = ["node", str(program), "--config", str(DEPLOY / "dclint.yaml"), str(file)]
    plain = environment({"NO_COLOR": "1", "FORCE_COLOR": "0"})  # which it has in CI
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=plain)
    return run.stdout.strip()


@pytest.mark.parametrize("name", FILES)
def test_dclint_finds_nothing(name: str) -> None:
    assert lint(DEPLOY / name) == ""


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("name: x\nservices:\n  a:\n    image: a\n    ports: ['80:80']\n", "utf-8")
    assert {"no-unbound-port-interfaces", "service-image-require-explicit-tag"} <= set(
        re.findall(r"[a-z]+(?:-[a-z]+)+", lint(file))
    )


# How it runs.


@pytest.mark.parametrize("name", SERVICES)
def test_each_is_confined(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert "cap_add" not in one
    assert "privileged" not in one
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["logging"]["options"].keys() == {"max-size", "max-file"}
    for limit in ("mem_limit", "cpus", "pids_limit"):
        assert one[limit], limit
    assert one["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert "networks" in one or one["network_mode"] == "none"


@pytest.mark.parametrize("name", sorted(LASTING - {"service"}))  # whose check is in its image
def test_each_that_lasts_is_looked_after(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_of_a_version_and_may_be_another(name: str) -> None:
    assert re.fullmatch(
        r"\$\{[A-Z_]+_IMAGE:-[\w/-]+(:v?\d+\.\d+[\w.-]*\}|\}:\$\{DIGITS_VERSION:-\d+\.\d+\.\d+\})",
        SERVICES[name]["image"],
    )


def test_the_version_is_this_one() -> None:
    [version] = re.findall(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    ours = [one["image"] for one in SERVICES.values() if "DIGITS_VERSION" in one["image"]]
    assert ours
    assert all(image.endswith(f"${{DIGITS_VERSION:-{version}}}") for image in ours)


def test_only_nginx_is_to_be_reached_from_elsewhere() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    [door] = published.pop("nginx")
    assert door["host_ip"] == "${STACK_ADDRESS:-127.0.0.1}"
    assert published.keys() == {"prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_the_database_and_the_service_are_in_networks_without_a_way_out() -> None:
    networks = read("compose.yaml")["networks"]
    for name in ("postgres", "service", "labels"):
        assert all(networks[network]["internal"] for network in SERVICES[name]["networks"])


def test_no_secret_is_in_an_environment() -> None:
    for name in FILES:
        for one in read(name)["services"].values():
            for variable, value in one.get("environment", {}).items():
                if re.search("PASSWORD|TOKEN|KEY|SERVICEFILE", variable):
                    assert value.startswith(("/run/secrets/", "/run/keys/")), variable


def test_what_stops_has_the_time_to() -> None:
    service = SERVICES["service"]
    given = int(service["stop_grace_period"].removesuffix("s"))
    taken = int(service["environment"]["DIGITS_GRACEFUL_TIMEOUT"])
    assert taken == Settings().graceful_timeout
    assert given >= taken + 5  # in which a worker writes what waits


# What it names.


@pytest.mark.parametrize("name", FILES)
def test_every_setting_of_ours_exists(name: str) -> None:
    known = {PREFIX + field.upper() for field in vars(Settings())} | FOREIGN
    for one in read(name)["services"].values():
        ours = {variable for variable in one.get("environment", {}) if variable.startswith(PREFIX)}
        assert ours <= known


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_there(name: str) -> None:
    text = (DEPLOY / name).read_text("utf-8")
    made = (DEPLOY / "secrets.sh").read_text("utf-8")
    named = re.findall(r"\./([\w./-]+)", text)
    assert named
    for path in named:
        folder, _, file = path.partition("/")
        there = file in made if folder == "secrets" else (DEPLOY / path).exists()
        assert there or file.startswith("tls_"), path  # which whoever has a name has to bring


def test_secrets_are_made_once_and_nobody_else_sees_them(tmp_path: Path) -> None:
    script = shutil.copy(DEPLOY / "secrets.sh", tmp_path)

    def made() -> dict[str, str]:
        subprocess.run(["sh", script], check=True)
        files = [path for path in (tmp_path / "secrets").rglob("*") if path.is_file()]
        return {path.name: path.read_text("ascii") for path in files}

    first = made()
    assert first.keys() == {"database", "database_password", "grafana_password", "users", "admins"}
    assert f"password={first['database_password']}\n" in first["database"]
    assert len(set(first.values())) == len(first)
    assert made() == first
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_prometheus_is_set_as_in_the_example_but_for_whom_it_asks() -> None:
    example = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    stack = yaml.safe_load((PROMETHEUS / "stack.yml").read_text("utf-8"))
    assert stack["scrape_configs"][0].pop("dns_sd_configs")[0]["names"] == ["service"]
    example["scrape_configs"][0].pop("static_configs")
    assert stack == example
