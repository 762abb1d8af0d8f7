"""The durable account of queries: what was spent, by which stage, and what may still be spent.

One query is one image row. Rows are written down before they are sent, so a ledger never holds less than the
teacher saw; after a crash it may hold a little more. What a service bills beside that is written down when it says so.
Nothing here knows what a teacher is or what it answered.
"""

from db3kd.ledger.account import Account, Limits
from db3kd.ledger.bill import Bill, Prices
from db3kd.ledger.books import Ledger, Statement

__all__ = ["Account", "Bill", "Ledger", "Limits", "Prices", "Statement"]
