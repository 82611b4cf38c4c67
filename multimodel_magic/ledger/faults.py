"""What can go wrong with a database, and how to say it in one line."""

from __future__ import annotations

__all__ = ["faults", "file_faults", "in_one_line", "row_faults"]

_OF_DRIVERS = (
    OSError,
    ImportError,  # the URL's driver is not installed
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RuntimeError,
    MemoryError,
)


def faults() -> tuple[type[Exception], ...]:
    """Return the errors of SQLAlchemy and of drivers, none of which may leave the ledger."""
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError, *_OF_DRIVERS)


def file_faults() -> tuple[type[Exception], ...]:
    """Return the errors of `sqlite3` and of reading files; imports no SQLAlchemy."""
    import sqlite3

    return (sqlite3.Error, *_OF_DRIVERS)


def row_faults() -> tuple[type[Exception], ...]:
    """Return the errors that speak of a row's values; all others speak of the database."""
    from sqlalchemy import exc

    of_row = (exc.IntegrityError, exc.DataError, exc.InterfaceError, exc.ProgrammingError)
    return (*of_row, ValueError, TypeError, OverflowError)


def in_one_line(error: Exception) -> str:
    """Return the driver's own words: SQLAlchemy's add the statement and a link."""
    words = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(words.split())
