"""How one update of a stack is written, in the service shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, pick, sha
from cloudapis_simulator.clock import SECOND
from cloudapis_simulator.world import words

if TYPE_CHECKING:
    from cloudapis_simulator.world.stacks import Stack, Update

Row = dict[str, Any]


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


def update_row(stack: Stack, update: Update, latest: int, now: int) -> Row:
    """Return an update as `S/updates?output-type=service` gives it at `now`."""
    bits = update.bits
    org = stack.born_as.org
    row: Row = {
        "info": _info(stack, update, now),
        "updateID": update.id,
        "version": update.version,
        "latestVersion": latest,
        "requestedBy": person(part(bits, 4) % 60),
    }
    if part(bits, 5) % 4 == 0:
        row["requestedByToken"] = "github-actions"
    if part(bits, 6) % 3:
        author = {k: v for k, v in person(part(bits, 4) % 60).items() if k != "email"}
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
        "environment": _environment(stack.born_as.org, bits),
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
            info["resourceCount"] = 3 + stack.number % 40 + part(bits, 10) % 20
    if part(bits, 14) % 12 == 0:
        info["deployment"] = _checkpoint(stack)
    return info


def _environment(org: str, bits: int) -> Row:
    row = {
        "exec.kind": "cli",
        "git.author": pick(words.PEOPLE, bits, 4),
        "git.author.email": f"user-{part(bits, 4) % 60}@example.com",
        "git.committer.email": "noreply@github.example.com",
        "git.dirty": "true" if part(bits, 9) % 2 else "false",
        "git.head": sha(bits),
        "git.headName": "refs/heads/main",
        "vcs.kind": "github.com",
        "vcs.owner": org,
        "vcs.repo": "infra",
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
