"""The figures as text for Prometheus: those of the database, and what this process has counted itself."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from conversations.live.registry import registry as sockets
from conversations.monitoring.figures import Figures, Queue

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
webhook_answers: Counter[int] = Counter()
"""Answers of the webhook address by status, since this process started; changed on the server's loop only."""


class _Reading(Collector):
    """One reading; None where the database did not answer."""

    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """What the database says, then what this process knows."""
        yield _gauge("database_up", "1 if the database answered", float(self._figures is not None))
        if self._figures is not None:
            yield from _of_database(self._figures)
        answers = CounterMetricFamily("ventanilla_webhook_answers", "Answers to webhooks", labels=["status"])
        for status, count in sorted(webhook_answers.items()):
            answers.add_metric([str(status)], count)
        yield answers
        yield _gauge("sockets", "Open sockets of agents", len(sockets.sockets))


def exposition(figures: Figures | None) -> bytes:
    """The page."""
    registry = CollectorRegistry()
    registry.register(_Reading(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _of_database(figures: Figures) -> Iterator[Metric]:
    yield from _queue("webhooks_pending", "stored webhooks not processed yet", {"": figures.webhooks})
    yield _gauge("webhooks_quarantined", "Webhooks that wait for somebody to look at them", figures.quarantined)
    yield _gauge("updates_parked", "Updates that came before their message", figures.parked)
    yield _gauge("media_pending", "Files of customers still to fetch", figures.media_pending)
    yield from _queue("outbox", "messages on their way out", figures.outbox, label="status")
    yield _gauge("outbox_unknown", "Messages of which nobody knows whether they were sent", figures.unknown)
    sends = GaugeMetricFamily(
        "ventanilla_sends_recent", "Attempts to send of the last five minutes by outcome", labels=["outcome"]
    )
    for outcome, count in sorted(figures.sends.items()):
        sends.add_metric([outcome], count)
    yield sends
    circuits = GaugeMetricFamily("ventanilla_circuit_open", "1 if the number does not send now", labels=["inbox"])
    for inbox, is_open in sorted(figures.circuits.items()):
        circuits.add_metric([str(inbox)], float(is_open))
    yield circuits
    yield _gauge("fence_up", "1 if nothing leaves until a manager says so", float(figures.fence_is_up))


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ventanilla_{name}", help_text, value=value)


def _queue(name: str, what: str, queues: dict[str, Queue], label: str = "") -> Iterator[Metric]:
    labels = [label] if label else []
    counts = GaugeMetricFamily(f"ventanilla_{name}", f"How many {what}", labels=labels)
    ages = GaugeMetricFamily(f"ventanilla_{name}_oldest_seconds", f"Age of the oldest of the {what}", labels=labels)
    for value, queue in queues.items():
        counts.add_metric([value] if label else [], queue.count)
        ages.add_metric([value] if label else [], queue.seconds)
    yield counts
    yield ages
