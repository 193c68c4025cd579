"""Organizations of the Pulumi world: their metadata, members and the token's user.

Shapes follow the published OpenAPI document of Pulumi Cloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, uuid
from cloudapis_simulator.clock import BEGINNING, DAY, END_OF_HISTORY, SECOND, ZERO_TIME, zulu
from cloudapis_simulator.world import words
from cloudapis_simulator.world.stacks import Stack, Stacks, Update
from cloudapis_simulator.world.updates import person, requester

if TYPE_CHECKING:
    from cloudapis_simulator.settings import Sizes

Row = dict[str, Any]

_FIRST_MEMBERS = (60, 24)  # of every other organization
MOST_SEATS = 50
_OUTSIDER = 101
_MOST_JOIN = 10  # where a world keeps its size
_JOIN_PACE = 20 * DAY
_CONSOLE = "https://app.pulumi.com"
_AVATAR = "https://www.gravatar.com/avatar/00000000000000000000000000000000"

# One name per switch of OrganizationFeatures that the document requires.
_FEATURES = (
    "agentIntegrationCatalogEnabled",
    "agentPoolRegistrationEnabled",
    "agentScheduledTasksEnabled",
    "aiAgentsEnabled",
    "aleEnabled",
    "approvalsEnabled",
    "auditLogUIFilteringEnabled",
    "auditLogsEnabled",
    "bitbucketVCSEnabled",
    "bringYourOwnKeyEnabled",
    "cliIntegrationCatalogEnabled",
    "crossGuardEnabled",
    "customRoleCondition",
    "customRolesEnabled",
    "customTemplatesEnabled",
    "customVCSEnabled",
    "dependencyCachingEnabled",
    "deployEnabled",
    "discoveredStacksEnabled",
    "driftDetectionEnabled",
    "environmentRevisionTagsEnabled",
    "environmentSecretRotationEnabled",
    "environmentsEnabled",
    "environmentsRestoreEnabled",
    "escEditorRevampEnabled",
    "escOnboardingAzureOAuthClientEnabled",
    "escOnboardingEnabled",
    "escOnboardingGcpOAuthClientEnabled",
    "escOnboardingV2Enabled",
    "fixDriftWithNeoEnabled",
    "ghAppDetailedDiffEnabled",
    "gitHubEnterpriseIntegrationEnabled",
    "iacCloudImportEnabled",
    "insightsAutoPolicyPacksEnabled",
    "insightsMonetizationEnabled",
    "integrationAssistantEnabled",
    "legacyDeploymentsOrgToken",
    "neoByokEnabled",
    "neoPlanModeEnabled",
    "neoTaskSharingEnabled",
    "nlpSearchEnabled",
    "pangeaAccountsScanPageEnabled",
    "policyIssueManagementEnabled",
    "policyManagementV2Enabled",
    "propertySearchUIEnabled",
    "resourceExportEnabled",
    "resourceSearchEnabled",
    "restoreStacksEnabled",
    "scimEnabled",
    "selfHostedDeploymentsEnabled",
    "selfServeIDPRemoval",
    "serviceBackedConfigEnabled",
    "themingEnabled",
    "webhooksEnabled",
)


class Organization:
    """One organization of the Pulumi world, by its number from 0."""

    def __init__(self, seed: int, number: int, sizes: Sizes) -> None:
        turn = number // len(words.ORGANIZATIONS)
        name = words.ORGANIZATIONS[number % len(words.ORGANIZATIONS)]
        self.login = f"{name}-{turn}" if turn else name
        self.number = number
        self._windowed = sizes.days > 0
        self._first_members = _FIRST_MEMBERS[number % len(_FIRST_MEMBERS)]
        self.stacks = Stacks(
            seed,
            self.login,
            sizes.pulumi_stacks,
            sizes.pulumi_updates,
            windowed=self._windowed,
        )
        self._bits = Dice(seed, "organization").roll(number)

    def row(self) -> Row:
        """Return the organization as `/api/orgs/{org}` gives it."""
        return {
            "githubLogin": self.login,
            "name": f"{self.login} 🏗",
            "avatarUrl": _AVATAR,
            "repos": [],
        }

    def metadata_row(self, now: int) -> Row:
        """Return what `/api/orgs/{org}/metadata` gives at `now`."""
        return {
            "id": uuid(self._bits),
            "created": zulu(BEGINNING - 500 * DAY + part(self._bits, 1) * SECOND),
            "kind": "pulumi",
            "product": "enterprise",
            "userRole": "admin",
            "memberCount": self._member_count(now),
            "stackCount": len(self.stacks.listed(now)),
            "environmentCount": 3,
            "accountCount": 0,
            "aiEnablement": "enabled",
            "auditLogsEnabled": True,
            "defaultAccountPermission": 1,
            "defaultEnvironmentPermission": "read",
            "defaultStackPermission": 101,
            "insightsTrialUsingPolicy": False,
            "locked": "not-locked",
            "membersCanCreateAccounts": True,
            "membersCanCreateStacks": True,
            "membersCanCreateTeams": False,
            "membersCanDeleteStacks": True,
            "membersCanTransferStacks": False,
            "naturalLanguageSearchDisabled": False,
            "neoAgentDisabled": False,
            "neoApprovalMode": "manual",
            "neoCLIExplanationsDisabled": False,
            "neoEnabled": True,
            "neoTaskSharingMode": "org",
            "preferredVCS": "github",
            "subscriptionStatus": "active",
            "webhooksEnabled": True,
            "features": {name: index % 3 != 0 for index, name in enumerate(_FEATURES)},
        }

    def _member_count(self, now: int) -> int:
        joined = max(0, (now - END_OF_HISTORY) // _JOIN_PACE)
        return self._first_members + (min(joined, _MOST_JOIN) if self._windowed else joined)

    def member_rows(self, now: int) -> list[Row]:
        """Return the identity provider's roster at `now`, with the row for the org itself."""
        rows = [self._member(number) for number in range(self._member_count(now))]
        org_as_user = {
            "role": "admin",
            "user": {"name": self.login, "githubLogin": self.login, "avatarUrl": _AVATAR},
            "created": ZERO_TIME,
            "knownToPulumi": True,
            "virtualAdmin": False,
            "fgaRole": {"id": "", "name": "", "modifiedAt": ZERO_TIME},
            "links": {"self": f"{_CONSOLE}/{self.login}"},
        }
        return [*rows[:3], org_as_user, *rows[3:]]

    def seat_rows(self, now: int) -> list[Row]:
        """Return those who have a seat at `now`, fifty of them at most.

        In every other organization there is one whom the identity provider does not list.
        """
        rows = [row for row in self.member_rows(now) if row["knownToPulumi"]]
        outsiders = [self._member(_OUTSIDER)] if self.number % 2 else []
        return [*outsiders, *rows][:MOST_SEATS]

    def _member(self, number: int) -> Row:
        first = self._first_members
        joined = BEGINNING - (first - number) * DAY
        if _OUTSIDER > number >= first:
            joined = END_OF_HISTORY + (number - first + 1) * _JOIN_PACE
        row = {
            "role": "admin" if number == 0 else "member",
            "user": person(number),
            "created": zulu(joined),
            "knownToPulumi": number % 7 != 5,  # noqa: PLR2004
            "virtualAdmin": number == 0,
            "fgaRole": {
                "id": f"role-{number % 3}",
                "name": ("Admin", "Member", "Nur lesen")[number % 3],
                "modifiedAt": zulu(joined),
            },
            "links": {"self": f"{_CONSOLE}/{person(number)['githubLogin']}"},
        }
        if number % 11 == 4:  # noqa: PLR2004
            # Older rows lack what the document promises.
            del row["created"], row["fgaRole"]
        return row

    def stack_row(self, stack: Stack, now: int) -> Row:
        """Return a stack as `/api/user/stacks` lists it at `now`."""
        row: Row = {
            "id": stack.id,
            "orgName": self.login,
            "projectName": stack.project,
            "stackName": stack.name,
            "links": {"self": f"{_CONSOLE}/{self.login}/{stack.project}/{stack.name}"},
        }
        last_update = stack.last_update(now)
        if last_update is not None:
            row["lastUpdate"] = last_update // SECOND
        if stack.number % 5 != 3:  # noqa: PLR2004
            row["resourceCount"] = stack.resource_count(now)
        return row

    def stack_detail_row(self, stack: Stack, now: int) -> Row:
        """Return a stack as `/api/stacks/{org}/{project}/{stack}` gives it at `now`."""
        count = stack.count(now)
        newest: Update | None = stack.update(count) if count else None
        row: Row = {
            "id": stack.id,
            "orgName": self.login,
            "projectName": stack.project,
            "stackName": stack.name,
            "tags": self.tags(stack, now),
            "activeUpdate": "",
            "version": newest.version if newest else 0,
        }
        if newest and newest.is_open(now):
            row["activeUpdate"] = newest.id
            row["currentOperation"] = {
                "kind": newest.kind,
                "author": person(requester(stack, newest))["githubLogin"],
                "started": newest.started_at // SECOND,
            }
        if stack.number % 4 == 0:
            row["config"] = {
                "environment": f"{stack.project}/shared",
                "secretsProvider": "passphrase",
                "encryptedKey": f"v1:{words.SECRET_MARKER}",
                "encryptionSalt": f"v1:{words.SECRET_MARKER}",
            }
        return row

    def tags(self, stack: Stack, now: int) -> dict[str, str]:
        """Return the stack's tags at `now`: some are edited by hand after the end of history."""
        tags = {
            "pulumi:project": stack.project,
            "pulumi:runtime": ("nodejs", "python", "go")[stack.number % 3],
            "pulumi:secrets_provider": "service",
            "gitHub:owner": self.login,
            "Cost-Center": f"{stack.number % 5}00 €",
        }
        if stack.number % 3 == 1 and now >= END_OF_HISTORY + (1 + stack.number % 9) * DAY:
            tags |= {"Cost-Center": "900 €", "reviewed": "yes"}
        return tags


def user_row(organizations: list[Organization]) -> Row:
    """Return the token's user as `/api/user` gives it."""
    return {
        "id": uuid(1),
        "githubLogin": "Dev.0",
        "name": "Ana Lima",
        "email": "dev.0@example.com",
        "avatarUrl": _AVATAR,
        "hasMFA": True,
        "identities": ["github.com"],
        "isManagedByMultiOrg": False,
        "isOrgManaged": False,
        "organizations": [
            {
                "githubLogin": organization.login,
                "name": f"{organization.login} 🏗",
                "avatarUrl": _AVATAR,
                "role": "admin",
            }
            for organization in organizations
        ],
        "tokenInfo": {"name": "warehouse", "organization": "", "team": ""},
    }
