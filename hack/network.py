"""Undo what dockerd did to the host's network, rule by rule; tables are never flushed."""

import itertools
import re
import shlex
from collections.abc import Sequence

from hack import host, shell

TABLES = ("filter", "nat", "raw", "mangle")
CHAIN_PREFIX = "DOCKER"


def forward_policy(rules: str) -> str:
    """Read the policy of FORWARD from `iptables -S`; a host without rules accepts."""
    for line in rules.splitlines():
        if line.startswith("-P FORWARD "):
            return line.split()[2]
    return "ACCEPT"


def undo_plan(rules: str, bridges: Sequence[str]) -> list[list[str]]:
    """Return the arguments of the iptables calls that remove Docker's rules and chains from one table.

    `rules` is what `iptables -t TABLE -S` prints. Ours are: all in DOCKER* chains, every jump to one,
    every rule on one of the bridges, and masquerading of their subnets (which names the bridge too).
    """
    deletions: list[list[str]] = []
    chains: list[str] = []
    for line in rules.splitlines():
        words = shlex.split(line)
        if words[:1] == ["-N"] and words[1].startswith(CHAIN_PREFIX):
            chains.append(words[1])
        elif words[:1] == ["-A"] and is_ours(words, bridges):
            deletions.append(["-D", *words[1:]])
    return deletions + [["-X", chain] for chain in chains]


def is_ours(words: Sequence[str], bridges: Sequence[str]) -> bool:
    """Tell whether a rule belongs to Docker's chains or bridges."""
    if words[1].startswith(CHAIN_PREFIX):
        return True
    for flag, value in itertools.pairwise(words):
        if flag == "-j" and value.startswith(CHAIN_PREFIX):
            return True
        if flag in {"-i", "-o"} and value in bridges:
            return True
    return False


def rules_of(table: str, program: str = "iptables") -> str:
    """Return the rules of a table, or nothing where the host has no such table."""
    return shell.output([program, "-t", table, "-S"]) or ""


def accept_forwarding() -> None:
    """Let pods reach out: dockerd drops what it does not know."""
    shell.run(["iptables", "-P", "FORWARD", "ACCEPT"], log="docker")


def bridges_of(links: str) -> set[str]:
    """Return Docker's bridges in the output of `ip -brief link`."""
    names = (line.split()[0] for line in links.splitlines() if line)
    return {name for name in names if name == "docker0" or re.fullmatch(r"br-[0-9a-f]{12}", name)}


def bridges() -> set[str]:
    """Return Docker's bridges on this host."""
    return bridges_of(shell.output(["ip", "-brief", "link"]) or "")


def our_bridges() -> list[str]:
    """Return the bridges that came since `host.remember`."""
    known = host.recall().get("bridges")
    return sorted(bridges() - set(known if isinstance(known, list) else [])) if host.recall() else []


def cut_cables() -> None:
    """Remove what is still plugged into our bridges.

    The kernel takes its time to clear a killed container's network: for a minute or more its ghost goes on
    answering at the address that the container gets again, and refuses every connection.
    """
    for bridge in our_bridges():
        listed = shell.output(["ip", "-brief", "link", "show", "master", bridge]) or ""
        for line in listed.splitlines():
            shell.output(["ip", "link", "del", line.split()[0].split("@")[0]])


def undo() -> None:
    """Remove what came since `host.remember`: Docker's rules, chains and bridges, and FORWARD's policy."""
    ours = our_bridges()
    for program in ("iptables", "ip6tables"):
        for table in TABLES:
            for words in undo_plan(rules_of(table, program), ours):
                shell.output([program, "-t", table, *words])
    before = str(host.recall().get("forward", "ACCEPT"))
    if rules_of("filter"):
        shell.output(["iptables", "-P", "FORWARD", before])
    for bridge in ours:
        shell.output(["ip", "link", "del", bridge])
