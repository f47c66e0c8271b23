"""The list read as it is usually written with FastAPI and SQLAlchemy async: the token is verified, the tenant is set
in the transaction, entities are loaded, a response model validates what leaves."""

import json
import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, String, desc, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

issuer = os.environ["ISSUER"]
keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(json.loads(os.environ["JWKS"])).keys}
engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=int(os.environ["DATABASE_POOL_SIZE"]), max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(String)
    phone_number: Mapped[str | None] = mapped_column(String)
    full_name: Mapped[str] = mapped_column(String)
    role: Mapped[str] = mapped_column(String)
    status: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class UserView(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    email: str | None
    phone_number: str | None
    full_name: str
    role: str
    status: str
    created_at: datetime


class Page(BaseModel):
    items: list[UserView]
    next_cursor: str | None


def caller(authorization: Annotated[str, Header()]) -> dict:
    token = authorization.removeprefix("Bearer ")
    try:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, algorithms=["EdDSA"], issuer=issuer, audience=f"{issuer}/api")
    except (jwt.PyJWTError, KeyError) as error:
        raise HTTPException(401) from error


async def session(claims: Annotated[dict, Depends(caller)]) -> AsyncIterator[AsyncSession]:
    async with sessions() as opened, opened.begin():
        await opened.execute(
            text("select set_config('app.tenant_id', :tenant, true), set_config('app.user_id', :user, true)"),
            {"tenant": claims["tid"], "user": claims["sub"]},
        )
        yield opened


@app.get("/ready")
async def ready() -> dict:
    return {}


@app.get("/users")
async def users(
    db: Annotated[AsyncSession, Depends(session)], limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Page:
    rows = (await db.scalars(select(User).order_by(desc(User.created_at), desc(User.id)).limit(limit + 1))).all()
    return Page(items=[UserView.model_validate(row) for row in rows[:limit]], next_cursor=None)
