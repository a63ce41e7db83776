"""The functions' packages: a zip file with one program, called `bootstrap`. Needs nothing that is installed."""

import zipfile
from pathlib import Path

# The functions' folders in what `sam build` builds, by their programs' names.
FUNCTIONS = {"decide": "LoadgateFunction", "limits": "LimitsFunction", "assign": "AssignFunction", "api": "ApiFunction"}

# The oldest time that a zip file knows: the same program is the same package, whenever it is built.
EPOCH = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o100755 << 16


def write(program: Path, package: Path, level: int = 9) -> None:
    entry = zipfile.ZipInfo("bootstrap", EPOCH)
    entry.external_attr, entry.compress_type = EXECUTABLE, zipfile.ZIP_DEFLATED
    package.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(entry, program.read_bytes(), compresslevel=level)
