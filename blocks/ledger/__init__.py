"""The spend journal."""

from blocks.ledger.ledger import Ledger
from blocks.ledger.rows import Attempt, Change, Charge, Cost, Intent
from blocks.ledger.states import State

__all__ = ["Attempt", "Change", "Charge", "Cost", "Intent", "Ledger", "State"]
