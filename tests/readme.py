"""The commands that README.md tells, and the test that runs each.

A line of a fenced block that has no language is a command. `ROWS` says by its beginning which test
runs it; `tests/meta/test_readme.py` refuses lines that no row covers, tests that are not there, and
verbs, flags and make targets that do not exist.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

_TOUR = "tests/e2e/test_readme.py::test_the_minutes_tour"
_PAST = (
    "tests/unit/assembly/test_upkeep.py::test_a_running_server_is_looked_into_and_written_through"
)
_COPY = "tests/unit/assembly/test_upkeep.py::test_a_backup_becomes_a_cluster_of_an_earlier_moment"
ROWS: dict[str, str] = {
    "make up": _TOUR,
    "make down": _TOUR,
    "appliance history": _PAST,
    "appliance undelete": _PAST,
    "appliance rewind": _PAST,
    "appliance backup": _COPY,
    "export KUBECONFIG=": _TOUR,
    ".venv/bin/kubectl get pods": _TOUR,
    ".venv/bin/kubectl scale": _TOUR,
    ".venv/bin/kubectl get rc -w": _TOUR,
    ".venv/bin/appliance status": _TOUR,
    ".venv/bin/appliance server": "tests/e2e/test_guestbook.py"
    "::test_traffic_goes_on_while_server_and_agent_are_killed",
    "appliance check": _TOUR,
    "appliance rolling-update": "tests/e2e/test_rolling_update.py"
    "::test_under_traffic_stopped_and_resumed_no_request_fails",
    ".venv/bin/appliance token create": _TOUR,
    "appliance join": "tests/e2e/test_join.py"
    "::test_pods_spread_over_nodes_each_with_a_range_of_its_own",
    "make dist": "tests/packaging/test_dist.py::test_a_wheel_gives_a_fresh_environment_the_command",
    "sh install.sh": "tests/packaging/test_install.py"
    "::test_a_server_is_installed_started_left_alone_and_removed",
    "APPLIANCE_URL=": "tests/packaging/test_install.py"
    "::test_a_url_makes_it_an_agent_whose_token_only_root_reads",
    "make image": "tests/image/test_boot.py"
    "::test_a_flashed_host_joins_runs_pods_and_says_what_is_wrong",
    "dd if=dist/appliance.img": "tests/image/test_boot.py"
    "::test_a_flashed_host_joins_runs_pods_and_says_what_is_wrong",
    "nix run": "tests/packaging/test_nix.py"
    "::test_package_module_and_image_evaluate_and_the_checks_build",
    "services.appliance = {": "tests/packaging/test_nix.py"
    "::test_package_module_and_image_evaluate_and_the_checks_build",
    "make test": "tests/meta/test_readme.py::test_every_command_is_run_by_a_test",
}


def blocks(text: str) -> list[list[str]]:
    """The commands of each fenced block without a language; comments are cut off."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        [line.split(" #")[0].strip() for line in body.splitlines() if line.strip()]
        for language, body in fenced
        if not language
    ]


def commands(text: str) -> list[str]:
    """All of them."""
    return [line for block in blocks(text) for line in block]


def row_of(command: str) -> str | None:
    """The longest beginning that covers a command."""
    fitting = [row for row in ROWS if command.startswith(row)]
    return max(fitting, key=len, default=None)


def exists(test: str) -> bool:
    """Whether there is a test of that name."""
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.exists() and name in {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
