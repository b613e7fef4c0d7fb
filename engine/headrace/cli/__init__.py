"""The command `headrace`: one file per command. Each imports what it needs, so that --help is instant."""

import errno
import sys

import click
from click.exceptions import NoArgsIsHelpError

import headrace
from headrace.cli.calibration import calibration
from headrace.cli.hardware import hardware
from headrace.cli.policies import policies
from headrace.cli.score import score
from headrace.cli.simulate import simulate
from headrace.cli.workload import workload
from headrace.errors import HeadraceError


class _OneLineErrors(click.Group):
    """Bad input ends a command with one line per problem: exit code 1, or 2 for a wrong option."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except HeadraceError as error:
            _fail(str(error), 1)
        except NoArgsIsHelpError:
            raise
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except MemoryError as error:
            _fail(f"memory: not enough ({error}); ask for fewer queries or worlds", 1)
        except OSError as error:
            if error.errno == errno.EPIPE:  # `| head`: click ends it without a word
                raise
            _fail(f"{error.filename or 'output'}: {error.strerror}; free disk space or fix permissions", 1)


def _fail(text: str, code: int) -> None:
    for line in text.splitlines():
        click.echo(f"headrace: {line}", err=True)
    sys.exit(code)


@click.group(
    cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(headrace.__version__, prog_name="headrace")
def main() -> None:
    """Studies of LLM-serving schedulers: try a policy, a workload, a GPU; read a scorecard."""


for command in (simulate, policies, hardware, workload, score, calibration):
    main.add_command(command)
