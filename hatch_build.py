"""Compiles the modules that pyproject.toml lists into the wheel, when asked to: docs/compiled.md says how."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The group's name puts what the extensions share into the package as well, and not beside it.
SETUP = """
from mypyc.build import mypycify
from setuptools import setup

setup(ext_modules=mypycify({}, group_name="coordinator.compiled", debug_level="0"))
"""
FOR_MYPY = ["--explicit-package-bases", "--ignore-missing-imports"]


class Compiled(BuildHookInterface[Any]):
    """Compiles a copy: an extension that stays beside its module would win over the source when that is edited."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add the extensions to what is shipped; an editable install runs the sources."""
        self.copy = TemporaryDirectory()
        if version == "editable":
            return
        top = Path(self.copy.name)
        package = shutil.copytree(Path(self.root, "coordinator"), top / "coordinator")
        (top / "setup.py").write_text(SETUP.format([*FOR_MYPY, *self.config["modules"]]))
        command = [sys.executable, "setup.py", "build_ext", "--inplace"]
        done = subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        extensions = list(package.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))
        if done.returncode or len(extensions) <= len(self.config["modules"]):  # one each, and what they share
            self.app.abort(f"{done.stdout}{done.stderr}\nerror: mypyc could not compile the list of pyproject.toml")
        build_data |= {"pure_python": False, "infer_tag": True}
        build_data["force_include"] |= {str(path): str(path.relative_to(top)) for path in extensions}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Throw the copy away."""
        self.copy.cleanup()
