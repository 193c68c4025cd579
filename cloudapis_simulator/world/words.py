"""Texts of the world, chosen to be awkward: quotes, newlines, right-to-left, emoji, U+2028."""

SECRET_MARKER = "sIm-SeCrEt"  # noqa: S105 - marks planted values, is none
"""Every planted value that must never leave the API contains this text."""

ACCOUNTS = ("Jaffle Shop", "Größe & Söhne GmbH", "株式会社サンプル", 'Acme, "Inc."')
PROJECTS = ("Analytics", "Finance / Reporting", "مستودع البيانات", "Produktdaten 📊", "Core")
ENVIRONMENTS = ("Development", "Production", "Staging")
CONNECTIONS = ("Snowflake prod", "BigQuery – événements", "Postgres (legacy)")  # noqa: RUF001
JOBS = (
    "Daily build",
    "CI: state:modified+",
    "[CI] slim build on merge",
    'Nachtlauf "groß"',
    "Hourly 🚀 refresh",
    "תזרים יומי",
    "Source freshness",
    "Full refresh\u2028(monthly)",
)
STATUS_MESSAGES = (
    'Database Error in model orders (models/orders.sql)\n  column "größe" does not exist',
    "Run exceeded the time limit",
    "dbt command failed: exit code 1 \u2028 see the debug log",
    "The warehouse said: 'quota exceeded' \\ retry later 🙁",
)
BRANCHES = ("main", "feature/naïve-löschung", 'fix/"quoted"', "release-2026", "人気/ブランチ")
CAUSES = (
    ("Scheduled", "scheduled"),
    ("Triggered via API", "api"),
    ("Kicked off from UI by zoë@example.com", "ui"),
    ('Github PR #118: "fix 📦"', "ci"),
    ("Triggered by merge of <main>", "merge"),
)

ORGANIZATIONS = ("Acme-Cloud", "umbrella.labs", "Initech", "hooli_xyz")
STACK_PROJECTS = (
    "website",
    "Data-Platform",
    "k8s.cluster",
    "billing-api",
    "Network.Core",
    "ml_pipelines",
)
STACKS = ("dev", "staging", "prod", "prod.eu-west-1", "Dev-Ana", "release-2.4", "PR-118", "x_1")
MESSAGES = (
    "Raise the memory limit",
    'Merge pull request #42 from acme/fix-"quotes"',
    "Größeres Subnetz für die Datenbank 🗄️",
    "תיקון הרשאות\n\nSecond paragraph",
    "修复日志轮转",
    "Line separator\u2028inside",
    "",
)
PEOPLE = (
    "Ana Lima",
    "Zoë O'Neil",
    "山田 太郎",
    "محمد علي",
    "Sam Taylor",
    "Sam Taylor",
    "",
    'Łukasz "Lu" Żak',
)
TEAMS = ("platform", "Data & Analytics", "équipe-α", "ops/on-call", "فريق البيانات 🚒")  # noqa: RUF001
