"""headrace simulate: one cell from options or a spec, alone or beside other policies."""

import json
from pathlib import Path

import click

from headrace.cli.options import CONFIG, COUNT, FILE, FOLDER, Real, Whole
from headrace.cli.output import console
from headrace.errors import HeadraceError

POLICY = "NAME|FILE:CLASS"
WITH_SPEC = ("spec", "chunks", "arrivals", "perf_model", "against", "out", "as_json")
WITH_TIMELINE = ("timeline", "window", "world")


class Window(click.ParamType):
    """START:END in seconds of the engine's clock."""

    name = "start:end"

    def convert(self, value, param, ctx):
        try:
            start_s, end_s = map(float, value.split(":"))
        except ValueError:
            self.fail(f"{value!r} is no time window; write START:END in seconds, such as 300:360", param)
        if not 0 <= start_s < end_s < float("inf"):
            self.fail(f"{value!r} is empty; START must be at least 0 and below END", param)
        return start_s, end_s


def option(*names: str, help: str, **more: object):
    """A click option that shows its default, where it has one."""
    if isinstance(more.get("type"), Whole | Real):
        more["metavar"] = "N"
    return click.option(*names, help=help, show_default=more.get("default") is not None, **more)


@click.command()
@option(
    "--backend",
    type=click.Choice(("sim", "vllm-scheduler")),
    default="sim",
    help="Who decides: our engine, or vLLM's scheduler with the plugin (needs vLLM), its limits as there.",
)
@option(
    "--workload",
    default="crawler",
    metavar="NAME|PATH",
    help="crawler or anns (generated), a chunk table (.parquet) or a folder of traces.",
)
@option("--policy", default="fcfs", metavar=POLICY, help="A policy, or one of your own: mine.py:Mine.")
@option(
    "--against",
    multiple=True,
    metavar=POLICY,
    help="A further policy on the same worlds, beside; repeatable.",
)
@option("--eviction", default="cost_published", metavar="NAME", help="How a victim leaves the GPU.")
@option("--hardware", default="h200-tp2", metavar="NAME", help="GPUs; `headrace hardware` lists them.")
@option("--qps", type=Real(0, min_open=True), default=4.0, help="Mean rate of query starts, 1/s.")
@option("--delay", type=COUNT, default=1, help="Stretches the waits for chunks.")
@option("--stream/--no-stream", default=True, help="Chunks as they come, or the whole prompt at the end.")
@option("--queries", type=COUNT, help="How many; of a table or traces, the first so many.")
@option(
    "--worlds", type=COUNT, default=1, help="Draws of workload and arrivals; world 0 has the published ones."
)
@option("--seed", type=Whole(0), help="Of workload and arrivals, in place of the configuration's.")
@option("--token-budget", type=COUNT, help="New tokens per step (max_num_batched_tokens).")
@option("--kv-blocks", type=COUNT, help="KV blocks of the GPU pool; the host's pool stays as it is.")
@option("--slots", type=COUNT, help="Resident requests (max_num_seqs).")
@option("--tokeniser", metavar="NAME", help="For traces: tekken, or a name that AutoTokenizer knows.")
@CONFIG
@option(
    "--spec", type=FILE, help="A cell's spec (JSON, YAML) in place of the options above; with the next three."
)
@option("--chunks", type=FILE, help="With --spec: the chunk table.")
@option("--perf-model", type=FILE, help="With --spec: the performance model.")
@option("--arrivals", type=FILE, help="Starts of the queries at 1 query/s, in place of Poisson ones.")
@option("--out", type=FOLDER, help="Keep requests.parquet, cell.json, run.json, summary.json in this folder.")
@option(
    "--timeline",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.svg|png|pdf",
    help="Draw one world: its requests, KV blocks and steps.",
)
@option("--window", type=Window(), help="Of the timeline, in seconds; else its first 60 requests.")
@option("--world", type=Whole(0), default=0, help="Which world the timeline shows.")
@option("--json", "as_json", is_flag=True, help="The summary as JSON on stdout, and nothing else there.")
@click.pass_context
def simulate(
    context: click.Context,
    out: Path | None,
    timeline: Path | None,
    window: tuple[float, float] | None,
    world: int,
    as_json: bool,
    **options: object,
) -> None:
    """Simulate one cell, in seconds and without a GPU.

    \b
    headrace simulate
    headrace simulate --policy mine.py:Mine --against default_vllm
    headrace simulate --workload anns --qps 2 --worlds 20 --out anns
    headrace simulate --delay 10 --timeline fcfs.svg --window 325:385
    """
    from headrace.threads import one_each

    one_each()
    from headrace.cli.inputs import Options, from_files, from_options
    from headrace.cli.runs import Timeline, keep, labels, scratch, serve
    from headrace.cli.summary import document, outcome, show, title
    from headrace.files import write_json

    _check(context)
    picture = Timeline(timeline, world, window) if timeline else None
    chosen = Options(**options)
    with scratch() as folder:
        inputs = from_files(chosen) if chosen.spec else from_options(chosen, folder)
        if picture:
            picture.check(inputs.spec["backend"])
        if world >= inputs.spec["worlds"]:
            raise HeadraceError("--world", f"there is no world {world}", f"0 to {inputs.spec['worlds'] - 1}")
        policies = labels([inputs.spec["policy"], *chosen.against])
        recorder = serve(inputs, policies, folder, world if picture else None)
        outcomes = [outcome(label, policy, folder / label) for label, policy in policies.items()]
        whole = document(inputs, outcomes)
        if out:
            keep(folder, policies, out)
            write_json(out / "summary.json", whole)
        if picture:
            label = outcomes[0].label
            name = f"{title(inputs.spec, label)}, world {world}"
            picture.draw(inputs, recorder, folder / label, name)
        if as_json:
            click.echo(json.dumps(whole, indent=1, allow_nan=False))
        else:
            console(columns=120).print(show(inputs, outcomes))


def _check(context: click.Context) -> None:
    """Raise HeadraceError for options that don't go together."""
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    if "spec" in given:
        if extra := sorted(given - {*WITH_SPEC, *WITH_TIMELINE}):
            raise HeadraceError(flags[extra[0]], "says what --spec says too", "write it into the spec")
    elif extra := sorted(given & {"chunks", "perf_model"}):
        remedy = "give a spec, or the chunk table as --workload and the model's GPU as --hardware"
        raise HeadraceError(flags[extra[0]], "goes with --spec", remedy)
    if "timeline" not in given and (extra := sorted(given & {"window", "world"})):
        raise HeadraceError(flags[extra[0]], "goes with --timeline", "name the picture's file")
