"""Queries of OAuth1's consumers, request tokens and access tokens."""

from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from celaje.common.db import Transaction
from celaje.identity.db.statements import many, one
from celaje.identity.db.tables import ACCESS_TOKENS, CONSUMERS, REQUEST_TOKENS

Row = dict[str, Any]

_CONSUMER = select(CONSUMERS).where(CONSUMERS.c.id == bindparam("id"))
_REQUEST = select(REQUEST_TOKENS).where(REQUEST_TOKENS.c.id == bindparam("id"))
_ACCESS = select(ACCESS_TOKENS).where(ACCESS_TOKENS.c.id == bindparam("id"))
_OF_CONSUMER = select(ACCESS_TOKENS).where(ACCESS_TOKENS.c.consumer_id == bindparam("consumer_id"))


def consumer(tx: Transaction, consumer_id: str) -> Row | None:
    return one(tx, _CONSUMER, id=consumer_id)


def create_consumer(tx: Transaction, row: Row) -> None:
    tx.execute(insert(CONSUMERS).values(**row))


def change_consumer(tx: Transaction, consumer_id: str, values: Row) -> None:
    tx.execute(update(CONSUMERS).where(CONSUMERS.c.id == consumer_id).values(**values))


def remove_consumer(tx: Transaction, consumer_id: str) -> list[str]:
    """With its tokens; the ids of the access tokens."""
    gone = [row["id"] for row in many(tx, _OF_CONSUMER, consumer_id=consumer_id)]
    tx.execute(delete(CONSUMERS).where(CONSUMERS.c.id == consumer_id))
    return gone


def request_token(tx: Transaction, token_id: str) -> Row | None:
    return one(tx, _REQUEST, id=token_id)


def create_request_token(tx: Transaction, row: Row) -> None:
    tx.execute(insert(REQUEST_TOKENS).values(**row))


def authorize(tx: Transaction, token_id: str, *, verifier: str, user_id: str, role_ids: list[str]) -> None:
    tx.execute(
        update(REQUEST_TOKENS)
        .where(REQUEST_TOKENS.c.id == token_id)
        .values(verifier=verifier, authorizing_user_id=user_id, roles=role_ids)
    )


def exchange(tx: Transaction, request_token_id: str, row: Row) -> bool:
    """An access token in place of the request token, once; false when that is gone already."""
    if not tx.execute(delete(REQUEST_TOKENS).where(REQUEST_TOKENS.c.id == request_token_id)).rowcount:
        return False
    tx.execute(insert(ACCESS_TOKENS).values(**row))
    return True


def access_token(tx: Transaction, token_id: str) -> Row | None:
    return one(tx, _ACCESS, id=token_id)


def remove_access_token(tx: Transaction, token_id: str) -> None:
    tx.execute(delete(ACCESS_TOKENS).where(ACCESS_TOKENS.c.id == token_id))
