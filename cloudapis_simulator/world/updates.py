"""How one update of a stack is written, in the service shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, pick, sha
from cloudapis_simulator.clock import SECOND
from cloudapis_simulator.world import findings, words

if TYPE_CHECKING:
    from cloudapis_simulator.world.stacks import Stack, Update

Row = dict[str, Any]

_OF_PEOPLE = ("dev", "Dev-Ana", "x_1")


def person(number: int) -> Row:
    """Return the user `number` as the API shows people (UserInfo); the e-mail is optional."""
    login = f"user-{number}" if number % 4 else f"Dev.{number}"
    row = {
        "name": words.PEOPLE[number % len(words.PEOPLE)],
        "githubLogin": login,
        "avatarUrl": f"https://www.gravatar.com/avatar/{number:032x}?size=300",
    }
    if number % 3:
        row["email"] = f"{login.lower()}@example.com"
    return row


def requester(stack: Stack, update: Update) -> int:
    """Return the number of the person who has made an update."""
    if stack.left_for:
        return pick(findings.FORGOTTEN.people, update.bits, 4)
    if _is_planted_by_hand(stack, update):
        return findings.LAPTOP.person
    return part(update.bits, 4) % findings.PEOPLE_AT_WORK


def _is_planted_by_hand(stack: Stack, update: Update) -> bool:
    return str(stack.born_as) == findings.LAPTOP.stack and part(update.bits, 9) % 2 == 1


def _is_by_hand(stack: Stack, update: Update) -> bool:
    """Whether somebody has typed the command: as a rule only for stacks of their own."""
    return stack.name in _OF_PEOPLE or _is_planted_by_hand(stack, update)


def update_row(stack: Stack, update: Update, latest: int, now: int) -> Row:
    """Return an update as `S/updates?output-type=service` gives it at `now`."""
    bits = update.bits
    org = stack.born_as.org
    row: Row = {
        "info": _info(stack, update, now),
        "updateID": update.id,
        "version": update.version,
        "latestVersion": latest,
        "requestedBy": person(requester(stack, update)),
    }
    if not _is_by_hand(stack, update):
        row["requestedByToken"] = "github-actions"
    if part(bits, 6) % 3:
        author = {k: v for k, v in row["requestedBy"].items() if k != "email"}
        commit = sha(bits)
        row["githubCommitInfo"] = {
            "slug": f"{org}/infra",
            "sha": commit,
            "url": f"https://github.com/{org}/infra/commit/{commit}",
            "message": pick(words.MESSAGES, bits, 7),
            "author": author,
        }
    if part(bits, 8) % 3 == 0:
        row["policyPacks"] = [
            {
                "name": "aws-guard",
                "displayName": "AWS Guard" if part(bits, 8) % 2 else "",
                "version": 1 + part(bits, 9) % 30,
                "versionTag": "0.4.2",
                "config": {"require-tags": {"requiredTags": ["Owner", "costCenter"]}},
            }
        ]
    return row


def _info(stack: Stack, update: Update, now: int) -> Row:
    bits = update.bits
    is_open = update.is_open(now)
    info: Row = {
        "kind": update.kind,
        "startTime": update.started_at // SECOND,
        "message": pick(words.MESSAGES, bits, 7),
        "environment": _environment(stack, update),
        "config": _config(stack, bits),
        "result": update.result(now),
        "endTime": 0 if is_open else (update.ended_at or 0) // SECOND,
        "version": update.version,
    }
    if not is_open and update.kind != "rename":
        info["resourceChanges"] = {
            "same": part(bits, 10) % 50,
            "create": part(bits, 11) % 4,
            "create-replacement": part(bits, 12) % 2,
            "delete-replaced": part(bits, 12) % 2,
        }
        if part(bits, 13) % 5:
            info["resourceCount"] = 3 + stack.number % 40 + part(bits, 10) % 20 + stack.more
    if part(bits, 14) % 12 == 0:
        info["deployment"] = _checkpoint(stack)
    return info


def _environment(stack: Stack, update: Update) -> Row:
    org, bits, author = stack.born_as.org, update.bits, requester(stack, update)
    by_hand = _is_by_hand(stack, update)
    row = {
        "exec.kind": "cli",
        "git.author": words.PEOPLE[author % len(words.PEOPLE)],
        "git.author.email": f"user-{author}@example.com",
        "git.committer.email": "noreply@github.example.com",
        "git.dirty": "true" if by_hand and part(bits, 9) % 2 else "false",
        "git.head": sha(bits),
        "git.headName": "refs/heads/main",
        "vcs.kind": "github.com",
        "vcs.owner": org,
        "vcs.repo": "infra",
    }
    if not by_hand:
        row |= {
            "ci.system": "GitHub",
            "ci.build.id": str(bits >> 8 & 0xFFFFFFFF),
            "ci.build.url": f"https://github.com/{org}/infra/actions/runs/{bits >> 8 & 0xFFFFFFFF}",
        }
    if part(bits, 14) % 7 == 3:  # noqa: PLR2004
        del row["git.head"]  # outside of a repository
    return row


def _config(stack: Stack, bits: int) -> Row:
    project = stack.born_as.project
    secret = f"v1:{words.SECRET_MARKER}{bits & 0xFFFFFF:06x}:c2ltdWxhdGVk"
    return {
        "aws:region": {"string": "eu-west-1", "secret": False, "object": False},
        f"{project}:dbUser": {"string": "app", "secret": False, "object": False},
        f"{project}:ALL_CAPS": {"string": "Größe 🗝", "secret": False, "object": False},
        f"{project}:dbPassword": {"string": secret, "secret": True, "object": False},
        f"{project}:service": {
            "string": '{"port":8080,"password":{"secure":"' + secret + '"}}',
            "secret": True,
            "object": True,
        },
    }


def _checkpoint(stack: Stack) -> Row:
    born_as = stack.born_as
    return {
        "manifest": {"version": "v3.140.0"},
        "secrets_providers": {"type": "service", "state": {"url": words.SECRET_MARKER}},
        "resources": [
            {
                "urn": f"urn:pulumi:{born_as.stack}::{born_as.project}::pulumi:pulumi:Stack::main",
                "outputs": {
                    "adminPassword": {
                        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
                        "plaintext": f'"{words.SECRET_MARKER}"',
                    }
                },
            }
        ],
    }
