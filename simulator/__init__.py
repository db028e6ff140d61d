"""A phone in the box: Meta's Graph API and the customers' phones, for use without a Meta account."""

from simulator.app import Simulator
from simulator.numbers import Number

__all__ = ["Number", "Simulator"]
