"""What a service bills, as rows of text."""

from db3kd.ledger import Bill, Prices
from db3kd.report.bills import bill_table, bill_table_of, shown_money
from db3kd.report.figures import Queries

BILLS = {"answers": Bill(1000, 0, 200_000, 3_000, off_list=24, refused=11), "repeats": Bill(16, 0, 3_200, 48)}


def test_the_bill_stands_by_stage_with_its_money_and_adds_up() -> None:
    table = bill_table(BILLS, {"held-out": Bill(10, 0, 2_000, 30)}, Prices(None, 1.0, 10.0, "USD"))
    assert [column.title for column in table.columns] == [
        "billed by the server", "answers", "tokens in", "tokens out", "off the list", "refused", "USD"
    ]  # fmt: skip
    assert table.rows == (
        ("answers", "1,000", "200,000", "3,000", "24", "11", "0.2300"),
        ("repeats", "16", "3,200", "48", "0", "0", "0.0037"),
        ("held-out (outside the budget)", "10", "2,000", "30", "0", "0", "0.0023"),
        ("total", "1,026", "205,200", "3,078", "24", "11", "0.2360"),
    )


def test_what_the_bill_may_miss_has_a_column_where_there_is_some() -> None:
    table = bill_table({"answers": Bill(10, 2, 100, 5, lost=3)}, {}, Prices())
    assert [column.title for column in table.columns][-2:] == ["uncounted", "lost"]
    assert table.rows[0] == ("answers", "10", "100", "5", "0", "0", "2", "3")


def test_a_teacher_that_bills_no_tokens_has_no_such_table() -> None:
    assert bill_table_of(Queries(total=5)).rows == ()
    assert bill_table_of(Queries(total=16, bills=BILLS)).rows[-1][0] == "total"


def test_little_money_is_shown_to_the_hundredth_of_a_cent() -> None:
    assert [shown_money(money) for money in (None, 0.0, 0.23456, 12.345, 12345.6)] == [
        "–", "0.00", "0.2346", "12.35", "12,345.60"
    ]  # fmt: skip
