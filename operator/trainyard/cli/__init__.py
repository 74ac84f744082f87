"""The `trainyard` command.

Each command lives in a file of its own and is imported when it is called, so that `trainyard operator` loads
no torch and `trainyard run` loads no Kubernetes client.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train, track, search and promote models on Kubernetes or on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="A TrainingJob manifest.", exists=True, dir_okay=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Change a field, e.g. training.epochs=3; repeatable."
        ),
    ] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow server or store; default: a SQLite file in this folder.")
    ] = None,
) -> None:
    """Train a TrainingJob on this machine, with no cluster."""
    from trainyard.cli.run import run as run_command

    raise typer.Exit(run_command(file, overrides or [], tracking_uri))


@app.command()
def data(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A TrainingJob manifest; or a CSV or Parquet file, or an address of data."
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Change a field, e.g. data.split.test=0.2; repeatable."
        ),
    ] = None,
) -> None:
    """Show what a training would see of its data: columns, split, problems. Trains nothing."""
    from trainyard.cli.data import data as data_command

    raise typer.Exit(data_command(file, overrides or []))


@app.command()
def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or an experiment for its latest runs.")
    ],
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow server or store; default: the SQLite file in this folder.")
    ] = None,
    output: Annotated[str, typer.Option(help="table, json or csv.", metavar="FORMAT")] = "table",
    last: Annotated[int, typer.Option(help="Runs that an experiment's name stands for.", min=2, max=50)] = 5,
    everything: Annotated[
        bool, typer.Option("--all", help="Validation's and the baselines' metrics too.")
    ] = False,
) -> None:
    """Put runs side by side: parameters, data, and metrics with their intervals."""
    from trainyard.cli.compare import Output
    from trainyard.cli.compare import compare as compare_command

    if output not in list(Output):
        raise typer.BadParameter(f"'{output}' is not one of {', '.join(Output)}", param_hint="--output")
    raise typer.Exit(compare_command(runs, tracking_uri, Output(output), last, everything))


@app.command()
def rerun(
    run: Annotated[str, typer.Argument(help="A run's id.")],
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow server or store; default: the SQLite file in this folder.")
    ] = None,
    any_data: Annotated[
        bool, typer.Option("--any-data", help="Train even if the data have changed since.")
    ] = False,
) -> None:
    """Repeat a run from what it logged, and say whether the same came out."""
    from trainyard.cli.rerun import rerun as rerun_command

    raise typer.Exit(rerun_command(run, tracking_uri, any_data))


@app.command()
def serve(
    model: Annotated[
        str,
        typer.Argument(
            help="A package folder, models:/m-..., models:/NAME/VERSION, runs:/RUN or a run's id."
        ),
    ],
    port: Annotated[int, typer.Option(help="Port of the loopback address.", min=1, max=65535)] = 8080,
    tracking_uri: Annotated[
        str | None, typer.Option(help="MLflow server or store; default: the SQLite file in this folder.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that callers must send.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Serve a model on this machine, as a pod would."""
    from trainyard.cli.serve import serve as serve_command

    raise typer.Exit(serve_command(model, port, tracking_uri, token_file))


Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace; the kubeconfig's where silent.")
]
JobName = Annotated[str, typer.Argument(help="A TrainingJob of the cluster.")]


@app.command()
def get(
    name: Annotated[str | None, typer.Argument(help="A TrainingJob; all where silent.")] = None,
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again until it is over.")] = False,
) -> None:
    """List the cluster's TrainingJobs."""
    from trainyard.cli.get import get as get_command

    raise typer.Exit(get_command(name, namespace, everywhere, watch))


@app.command()
def describe(name: JobName, namespace: Namespace = None) -> None:
    """Show a TrainingJob of the cluster: state, reason, last failure, pods, results."""
    from trainyard.cli.describe import describe as describe_command

    raise typer.Exit(describe_command(name, namespace))


@app.command()
def logs(
    name: JobName,
    namespace: Namespace = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job is over.")] = False,
    index: Annotated[int, typer.Option(help="Which pod of a job with several nodes.", min=0)] = 0,
) -> None:
    """Print what the trainer of a TrainingJob writes."""
    from trainyard.cli.logs import logs as logs_command

    raise typer.Exit(logs_command(name, namespace, follow, index))


@app.command()
def suspend(name: JobName, namespace: Namespace = None) -> None:
    """Stop a TrainingJob of the cluster after a checkpoint."""
    from trainyard.cli.suspend import suspend as suspend_command

    raise typer.Exit(suspend_command(name, namespace, True))


@app.command()
def resume(name: JobName, namespace: Namespace = None) -> None:
    """Let a suspended TrainingJob go on from its checkpoint."""
    from trainyard.cli.suspend import suspend as suspend_command

    raise typer.Exit(suspend_command(name, namespace, False))


@app.command()
def explain(name: JobName, namespace: Namespace = None) -> None:
    """Print what the operator would do about a TrainingJob now, and do nothing."""
    from trainyard.cli.explain import explain as explain_command

    raise typer.Exit(explain_command(name, namespace))


@app.command()
def operator() -> None:
    """Run the operator (configured by TRAINYARD_* variables; the chart sets them)."""
    from trainyard.cli.operator import operator as operator_command

    raise typer.Exit(operator_command())


@app.command()
def coordinator() -> None:
    """Run the coordinator (configured by TRAINYARD_* variables; the chart sets them)."""
    from trainyard.cli.coordinator import coordinator as coordinator_command

    raise typer.Exit(coordinator_command())


@app.command()
def crds(
    write: Annotated[Path | None, typer.Option(help="Write the CRDs into this folder.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail when the files of this folder differ.")] = None,
) -> None:
    """Generate the CustomResourceDefinitions from the API models (to stdout unless told otherwise)."""
    from trainyard.cli.crds import crds as crds_command

    raise typer.Exit(crds_command(write=write, check=check))


def main() -> None:
    """Entry point of the console script."""
    app()
