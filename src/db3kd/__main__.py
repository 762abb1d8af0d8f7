"""`python -m db3kd` does what `db3kd` does."""

from db3kd.cli import main

if __name__ == "__main__":
    main()
