"""What `up` starts on this machine, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass

PORTS = {"prefect": 4200, "mlflow": 5000, "evidently": 4230, "reports": 4240}
SHOWN = {
    "prefect": "Deployments, then Run: a form with every option; Runs: what was decided; Automations: what starts by itself",
    "mlflow": "Model training: every run and version, with metrics, plots and files",
    "evidently": "drift of each use case over time",
    "reports": "every page that was written: of runs, looks, batches and backtests",
}


def page(port: int) -> str:
    """Give the address of pages on this machine."""
    return f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class StackReport:
    """Where everything is.

    Attributes:
        pages: Address by name.
        started: What was not there before; the rest was up already.
        deployments: How many there are.
        logs: Folder of the logs.
    """

    pages: dict[str, str]
    started: tuple[str, ...]
    deployments: int
    logs: str

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {"pages": self.pages, "started": list(self.started), "deployments": self.deployments, "logs": self.logs}

    def as_text(self) -> str:
        """Give what a person reads."""
        lines = [f"{name:<10} {address}   {SHOWN[name]}" for name, address in self.pages.items()]
        lines.append(f"{'worker':<10} runs what pages, schedules and monitors ask for: {self.deployments} deployments")
        lines.append(f"{'logs':<10} {self.logs}")
        begun = f"started {', '.join(self.started)}" if self.started else "everything was up already"
        return "\n".join([*lines, f"{'up':<10} {begun}; `make down` (or `evergreen down`) ends it"])


@dataclass(frozen=True)
class DownReport:
    """What was ended.

    Attributes:
        ended: How many processes.
        stays: Why Prefect's server goes on for a while; empty where it does not.
    """

    ended: int
    stays: str = ""

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {"ended": self.ended, "stays": self.stays}

    def as_text(self) -> str:
        """Give what a person reads."""
        told = f"down: {self.ended} processes ended" if self.ended else "nothing was up"
        return f"down, but {self.stays}" if self.stays else told
