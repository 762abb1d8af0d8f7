from pathlib import Path

from db3kd.ledger import Ledger, Statement


def test_statement_books_held_out_stages_separately() -> None:
    with Ledger(None) as ledger:
        for stage, rows, held_out in (
            ("label", 5, False),
            ("pool", 3, False),
            ("evaluate", 7, True),
            ("label", 2, False),
        ):
            with ledger.account(stage, limits=None, held_out=held_out) as account:
                account.charge(rows)
        statement = ledger.statement()
        assert statement == Statement(by_stage={"label": 7, "pool": 3}, total=10, held_out={"evaluate": 7}, unsettled=0)
        assert statement.charged == 17


def test_a_charge_is_in_the_file_before_it_returns(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger, Ledger(tmp_path / "ledger.sqlite") as reader:
        account = ledger.account("label", block=10)
        for sent in (1, 10, 11, 35):
            account.charge(sent - account.spent)
            assert reader.statement().total >= sent
        account.settle()
        assert reader.statement() == Statement(by_stage={"label": 35}, total=35, held_out={}, unsettled=0)
