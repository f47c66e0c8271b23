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
from sqlalchemy import DateTime, ForeignKey, desc, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

issuer = os.environ["ISSUER"]
keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(json.loads(os.environ["JWKS"])).keys}
engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=int(os.environ["DATABASE_POOL_SIZE"]), max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]


class Base(DeclarativeBase):
    pass


class Role(Base):
    __tablename__ = "admin_roles"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    coarse_role: Mapped[str]


class RoleAssignment(Base):
    __tablename__ = "admin_role_assignments"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    role_id: Mapped[UUID] = mapped_column(ForeignKey("admin_roles.id"))
    valid_until: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    role: Mapped[Role] = relationship(lazy="joined", innerjoin=True)


class Profile(Base):
    __tablename__ = "admin_users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    job_title: Mapped[str | None]
    department: Mapped[str | None]
    notes: Mapped[str | None]


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    email: Mapped[str | None]
    phone_number: Mapped[str | None]
    full_name: Mapped[str]
    role: Mapped[str]
    status: Mapped[str]
    is_active: Mapped[bool]
    time_zone: Mapped[str | None]
    sign_in_requires_totp: Mapped[bool]
    last_sign_in_at: Mapped[Moment | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    deleted_at: Mapped[Moment | None]
    version: Mapped[int]
    profile: Mapped[Profile | None] = relationship(lazy="joined", uselist=False)
    assignments: Mapped[list[RoleAssignment]] = relationship(
        lazy="selectin",
        primaryjoin="and_(RoleAssignment.user_id == User.id, RoleAssignment.revoked_at.is_(None))",
    )


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class RoleView(View):
    code: str
    name: str


class AssignmentView(View):
    id: UUID
    role_id: UUID
    role: RoleView
    valid_until: datetime | None


class ProfileView(View):
    job_title: str | None
    department: str | None
    notes: str | None


class UserView(View):
    id: UUID
    tenant_id: UUID
    email: str | None
    phone_number: str | None
    full_name: str
    role: str
    assignments: list[AssignmentView]
    status: str
    is_active: bool
    time_zone: str | None
    sign_in_requires_totp: bool
    profile: ProfileView | None
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int


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
    query = (
        select(User)
        .where(User.status != literal_column("'deleted'"))  # as a parameter it would get a worse plan
        .order_by(desc(User.created_at), desc(User.id))
        .limit(limit + 1)
    )
    rows = (await db.scalars(query)).unique().all()
    return Page(items=[UserView.model_validate(row) for row in rows[:limit]], next_cursor=None)
