"""What the cluster tool reads from the host, and how it puts the host back."""

from pathlib import Path

import pytest

from hack import docker, host, network, ocishim

STATUS = "Name:\tpython\nCapEff:\t000001fffeffffff\nCapBnd:\t{}\nCapAmb:\t0\n"

FILTER = """-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N DOCKER
-N DOCKER-USER
-N KEEP-ME
-A FORWARD -j DOCKER-USER
-A FORWARD -o br-0123456789ab -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i eth0 -o eth1 -j ACCEPT
-A KEEP-ME -s 10.0.0.0/8 -m comment --comment "not DOCKER's" -j DROP
-A DOCKER -d 172.17.0.2/32 ! -i br-0123456789ab -o br-0123456789ab -p tcp --dport 6443 -j ACCEPT
-A DOCKER-USER -j RETURN
"""
NAT = """-P POSTROUTING ACCEPT
-N DOCKER
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.29.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 192.168.0.0/16 ! -o eth0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
"""


@pytest.mark.parametrize(
    ("bounding", "has"), [("000001ffffffffff", True), ("000001fffeffffff", False), ("0000000001000000", True)]
)
def test_the_capability_is_read_from_the_bounding_set(bounding: str, has: bool) -> None:
    assert host.has_capability(STATUS.format(bounding), host.CAP_SYS_RESOURCE) is has


def test_the_undo_plan_takes_dockers_rules_and_nothing_else() -> None:
    plan = [" ".join(words) for words in network.undo_plan(FILTER, ["docker0", "br-0123456789ab"])]
    assert plan == [
        "-D FORWARD -j DOCKER-USER",
        "-D FORWARD -o br-0123456789ab -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-D DOCKER -d 172.17.0.2/32 ! -i br-0123456789ab -o br-0123456789ab -p tcp --dport 6443 -j ACCEPT",
        "-D DOCKER-USER -j RETURN",
        "-X DOCKER",
        "-X DOCKER-USER",
    ]


def test_masquerading_goes_with_its_bridge_and_other_masquerading_stays() -> None:
    plan = [" ".join(words) for words in network.undo_plan(NAT, ["docker0"])]
    assert "-D POSTROUTING -s 172.29.0.0/16 ! -o docker0 -j MASQUERADE" in plan
    assert not [line for line in plan if "192.168" in line]
    assert plan[-1] == "-X DOCKER"


def test_a_host_without_rules_needs_no_undoing() -> None:
    assert network.undo_plan("", ["docker0"]) == []
    assert network.forward_policy("") == "ACCEPT"
    assert network.forward_policy(FILTER) == "DROP"


def test_only_names_of_dockers_make_are_bridges() -> None:
    names = ("lo", "docker0", "br-0123456789ab", "br-lan", "veth1@if2")
    links = "\n".join(f"{name} UP 02:42:00:00:00:00 <BROADCAST>" for name in names)
    assert network.bridges_of(links) == {"docker0", "br-0123456789ab"}


def test_mounts_are_undone_deepest_first_and_only_below_the_folder() -> None:
    info = "\n".join(
        f"1 0 0:1 / {point} rw - overlay overlay rw" for point in ("/a/b", "/", "/a/b/c/merged", "/a/bc")
    )
    assert host.mounts_below(info, [Path("/a/b")]) == ["/a/b/c/merged", "/a/b"]


def test_the_shim_weakens_a_privileged_process_and_leaves_others_alone() -> None:
    sets = ("bounding", "effective", "permitted")
    process = {
        "capabilities": {name: ["CAP_CHOWN", "CAP_SYS_RESOURCE"] for name in sets},
        "oomScoreAdj": -998,
        "args": ["true"],
    }
    weaker = ocishim.weaken(process)
    assert weaker["capabilities"] == {name: ["CAP_CHOWN"] for name in sets}
    assert weaker["oomScoreAdj"] == 0
    assert ocishim.weaken({"oomScoreAdj": 900, "capabilities": None}) == {
        "oomScoreAdj": 900,
        "capabilities": None,
    }


def test_the_shim_finds_the_specs_in_what_docker_passes() -> None:
    create = ["--log", "/l", "create", "--bundle", "/run/b", "--pid-file", "/run/p", "id"]
    execute = ["exec", "--process", "/tmp/process.json", "--detach", "id"]
    assert ocishim.spec_files(create) == [("/run/b/config.json", True)]
    assert ocishim.spec_files(execute) == [("/tmp/process.json", False)]
    assert ocishim.spec_files(["state", "id"]) == []


def test_another_program_with_a_reused_pid_is_not_taken_for_ours() -> None:
    assert not docker.process_is(1, "dockerd")
    assert not docker.process_is(2**22 + 1, "dockerd")
