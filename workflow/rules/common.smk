"""The checked configuration, before anything looks at it."""

import sys
from pathlib import Path

# The sources beside this workflow are what runs and what is digested, whatever else is installed.
sys.path.insert(0, str(Path(workflow.basedir).parent / "engine"))

import headrace.config
from headrace.digest import digest, listing
from headrace.errors import HeadraceError
from headrace.scheduling import EVICTIONS, POLICIES
from headrace.script import prepare_jobs

prepare_jobs()
try:
    # Snakemake's error for a file that is not YAML names neither the file nor the line.
    headrace.config.read("config/config.yaml")
except HeadraceError as error:
    sys.exit(str(error))


configfile: "config/config.yaml"


try:
    config.update(
        headrace.config.load(
            config,
            ["config/config.yaml", *workflow.overwrite_configfiles],
            workflow.config_settings.config,
        )
    )
except HeadraceError as error:
    sys.exit(str(error))
