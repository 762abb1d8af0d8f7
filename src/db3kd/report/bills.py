"""What a service that bills by tokens says that it served, as a table: by stage, with what it costs."""

from collections.abc import Mapping

from db3kd.ledger import Bill, Prices
from db3kd.report.figures import Queries
from db3kd.report.tables import UNKNOWN, Column, Table, count, held_out_label


def bill_table(bills: Mapping[str, Bill], held_out: Mapping[str, Bill], prices: Prices) -> Table:
    """Show the bill of each stage and that of all, held-out stages too; nothing with a teacher that bills no tokens."""
    rows = [*bills.items(), *((held_out_label(stage), bill) for stage, bill in held_out.items())]
    if not rows:
        return Table()
    everything = sum((bill for _, bill in rows), Bill())
    columns = [
        Column("billed by the server", numeric=False),
        Column("answers"),
        Column("tokens in"),
        Column("tokens out"),
        Column("off the list", meaning="answers that were no class of the list"),
        Column("refused", meaning="answers by which the teacher declined"),
    ]
    if everything.uncounted:
        columns.append(Column("uncounted", meaning="answers without a count of tokens, which may cost more"))
    if everything.lost:
        columns.append(Column("lost", meaning="calls whose answer did not come, which the server may bill too"))
    columns += [Column(prices.currency)] if prices.of_tokens else []
    cells = [(name, *_cells(bill, everything, prices)) for name, bill in (*rows, ("total", everything))]
    return Table(tuple(columns), tuple(cells))


def bill_table_of(queries: Queries) -> Table:
    """Show the bill in a report."""
    return bill_table(queries.bills, queries.held_out_bills, queries.prices or Prices())


def shown_money(money: float | None) -> str:
    """Show money with two decimals, and less than ten of it with four."""
    return UNKNOWN if money is None else f"{money:,.2f}" if money >= 10 or not money else f"{money:.4f}"


def _cells(bill: Bill, everything: Bill, prices: Prices) -> tuple[str, ...]:
    counts = [bill.answers, bill.input_tokens, bill.output_tokens, bill.off_list, bill.refused]
    counts += [bill.uncounted] * bool(everything.uncounted) + [bill.lost] * bool(everything.lost)
    money = (shown_money(prices.tokens(bill)),) if prices.of_tokens else ()
    return (*map(count, counts), *money)
