"""headrace policies: what decides who runs and who makes room."""

import inspect

import click

from headrace.cli.output import console, plain_table

OWN = """\
One of your own is a class in a file. Its key says who goes first, smallest first:

  # mine.py
  from headrace.scheduling import Policy

  class Mine(Policy):
      moves_when_computed = True  # the key changes when tokens are computed

      @staticmethod
      def key(request):
          return request.prompt - request.computed, request.opened_s, request.id

headrace simulate --policy mine.py:Mine --against default_vllm"""


@click.command()
def policies() -> None:
    """List the scheduling policies and the eviction rules."""
    from headrace.scheduling import EVICTIONS, POLICIES, load

    out = console()
    for title, classes in (
        ("policy", {name: load(name) for name in POLICIES}),
        ("eviction rule", EVICTIONS),
    ):
        table = plain_table(title, "what it does")
        for name, cls in classes.items():
            table.add_row(name, inspect.getdoc(cls).split("\n\n")[0].replace("\n", " "))
        out.print(table)
    out.print(OWN, markup=False)
