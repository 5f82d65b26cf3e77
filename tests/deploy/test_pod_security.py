"""Pods satisfy the level "restricted" of the Pod Security Standards of Kubernetes 1.36.

One row for each control of https://kubernetes.io/docs/concepts/security/pod-security-standards/,
those of the level "baseline" first. Each is seen to refuse a pod that breaks it.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.deploy.manifests import (
    APPLIED,
    KUBERNETES,
    VERSION,
    Object,
    applied,
    containers,
    objects,
    templates,
)
from tests.helpers import table

CAPABILITIES = {
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
}
SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def contexts(pod: Object) -> list[Object]:
    """The security contexts of a pod and of each of its containers."""
    every = [pod["spec"], *containers(pod)]
    return [one.get("securityContext", {}) for one in every]


def of_containers(pod: Object) -> list[Object]:
    return contexts(pod)[1:]


def everywhere(pod: Object, name: str, allowed: Callable[[Any], bool]) -> bool:
    """Each container has a sound value of its own, or the pod has one and it has none."""
    whole, *each = [context.get(name) for context in contexts(pod)]
    return all(allowed(whole if one is None else one) for one in each)


def handlers(pod: Object) -> Iterator[Object]:
    for one in containers(pod):
        yield from (one[probe] for probe in one if probe.endswith("Probe"))
        yield from one.get("lifecycle", {}).values()


def hosts(pod: Object) -> Iterator[str]:
    """What probes and hooks ask instead of the pod."""
    for handler in handlers(pod):
        for way in ("httpGet", "tcpSocket"):
            yield handler.get(way, {}).get("host", "")


def capabilities(pod: Object, change: str) -> list[set[str]]:
    return [set(one.get("capabilities", {}).get(change, [])) for one in of_containers(pod)]


def selinux(pod: Object) -> Iterator[bool]:
    for options in (one.get("seLinuxOptions", {}) for one in contexts(pod)):
        yield options.get("type", "") in SELINUX
        yield not options.get("user") and not options.get("role")


def profiles(pod: Object, name: str) -> list[str]:
    return [one[name]["type"] for one in contexts(pod) if name in one]


def apparmor(pod: Object) -> bool:
    annotations = pod["metadata"].get("annotations", {})
    old = {value for key, value in annotations.items() if key.startswith(APPARMOR)}
    return set(profiles(pod, "appArmorProfile")) <= {"RuntimeDefault", "Localhost"} and all(
        value == "runtime/default" or value.startswith("localhost/") for value in old
    )


def few_capabilities(pod: Object) -> bool:
    return all("ALL" in dropped for dropped in capabilities(pod, "drop")) and all(
        added <= {"NET_BIND_SERVICE"} for added in capabilities(pod, "add")
    )


@dataclass(frozen=True)
class Control:
    """Whether a pod keeps it, and what breaks it: a container's fields, and the pod's."""

    holds: Callable[[Object], bool]
    container: Object | None = None
    pod: Object | None = None
    annotation: str | None = None


RESTRICTED = {
    "HostProcess": Control(
        lambda pod: (
            not any(one.get("windowsOptions", {}).get("hostProcess") for one in contexts(pod))
        ),
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    ),
    "Host Namespaces": Control(
        lambda pod: (
            not any(pod["spec"].get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
        ),
        pod={"hostPID": True},
    ),
    "Privileged Containers": Control(
        lambda pod: not any(one.get("privileged") for one in of_containers(pod)),
        {"securityContext": {"privileged": True}},
    ),
    "Capabilities (baseline)": Control(
        lambda pod: all(added <= CAPABILITIES for added in capabilities(pod, "add")),
        {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]}}},
    ),
    "HostPath Volumes": Control(
        lambda pod: not any("hostPath" in one for one in pod["spec"].get("volumes", [])),
        pod={"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
    ),
    "Host Ports": Control(
        lambda pod: (
            not any(
                port.get("hostPort") for one in containers(pod) for port in one.get("ports", [])
            )
        ),
        {"ports": [{"containerPort": 8000, "hostPort": 8000}]},
    ),
    "Host Probes / Lifecycle Hooks": Control(
        lambda pod: not any(hosts(pod)),
        {"livenessProbe": {"httpGet": {"host": "example.org", "port": 80}}},
    ),
    "AppArmor": Control(apparmor, {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}),
    "AppArmor, by annotation": Control(apparmor, annotation=f"{APPARMOR}digits"),
    "SELinux": Control(
        lambda pod: all(selinux(pod)),
        {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    ),
    "/proc Mount Type": Control(
        lambda pod: all(one.get("procMount", "Default") == "Default" for one in of_containers(pod)),
        {"securityContext": {"procMount": "Unmasked"}},
    ),
    "Seccomp (baseline)": Control(
        lambda pod: set(profiles(pod, "seccompProfile")) <= {"RuntimeDefault", "Localhost"},
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    ),
    "Sysctls": Control(
        lambda pod: {one["name"] for one in contexts(pod)[0].get("sysctls", [])} <= SYSCTLS,
        pod={"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    ),
    "Volume Types": Control(
        lambda pod: all(set(one) - {"name"} <= VOLUMES for one in pod["spec"].get("volumes", [])),
        pod={"volumes": [{"name": "share", "nfs": {"server": "example.org", "path": "/"}}]},
    ),
    "Privilege Escalation": Control(
        lambda pod: all(one.get("allowPrivilegeEscalation") is False for one in of_containers(pod)),
        {"securityContext": {"capabilities": {"drop": ["ALL"]}}},
    ),
    "Running as Non-root": Control(
        lambda pod: everywhere(pod, "runAsNonRoot", lambda value: value is True),
        {"securityContext": {"runAsNonRoot": False}},
    ),
    "Running as Non-root user": Control(
        lambda pod: all(one.get("runAsUser") != 0 for one in contexts(pod)),
        {"securityContext": {"runAsUser": 0}},
    ),
    "Seccomp": Control(
        lambda pod: everywhere(pod, "seccompProfile", lambda value: value is not None),
        {"securityContext": {}},
        {"securityContext": {}},
    ),
    "Capabilities": Control(
        few_capabilities,
        {"securityContext": {"capabilities": {"add": ["CHOWN"], "drop": ["ALL"]}}},
    ),
    "Capabilities, dropped": Control(
        few_capabilities, {"securityContext": {"capabilities": {"drop": ["CHOWN"]}}}
    ),
}


def broken(pod: Object, control: Control, kind: str) -> Object:
    """The pod with what a control is against, in a container of that kind where it is in one."""
    pod = copy.deepcopy(pod)
    if control.pod is not None:
        pod["spec"] |= control.pod
    if control.container is not None:
        sound = {"name": "another", **pod["spec"]["containers"][0]}
        pod["spec"][kind] = [*pod["spec"].get(kind, []), {**sound, **control.container}]
    if control.annotation is not None:
        pod["metadata"]["annotations"] = {control.annotation: "unconfined"}
    return pod


@pytest.mark.parametrize("name", APPLIED)
@table("control", RESTRICTED)
def test_every_pod_keeps_the_control(name: str, control: Control) -> None:
    pods = templates(applied(name))
    assert pods
    assert [owner for owner, pod in pods.items() if not control.holds(pod)] == []


@pytest.mark.parametrize("kind", ["containers", "initContainers", "ephemeralContainers"])
@table("control", RESTRICTED)
def test_a_pod_that_breaks_the_control_is_seen(control: Control, kind: str) -> None:
    pod = templates(applied("base"))["Deployment digits"]
    assert control.holds(pod)
    assert not control.holds(broken(pod, control, kind))


def test_the_namespace_lets_in_no_other_pods() -> None:
    labels = {
        f"pod-security.kubernetes.io/{mode}{part}": value
        for mode in ("enforce", "audit", "warn")
        for part, value in (("", "restricted"), ("-version", f"v{VERSION}"))
    }
    found = objects((KUBERNETES / "namespace.yaml").read_text("utf-8"))
    assert [one["metadata"]["labels"] for one in found] == [labels]
