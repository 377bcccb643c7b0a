"""Surfaces and tenants: named sets of limits, and who gets which."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from coordinator.domain.errors import Invalid
from coordinator.domain.money import micros
from coordinator.domain.scope import RunLimits

Usd = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=31 * 86_400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]

Period = Literal["hour", "day", "month", "total"]
"""How long the account of all runs together lasts, in UTC; `total` is as long as the process lives."""

DEFAULT = "default"
REFUSE = "refuse"
NO_SURFACE = "no_surface"
"""The kind of error that names a surface which does not exist; others are contradictions."""
SOFT_DEADLINE_SHARE = 0.8
WIDER: Final = ("run_usd", "session_usd", "user_day_usd", "tenant_day_usd", "global_usd")
"""Ceilings, from the narrowest to the widest: what one run may cost is part of what its session may cost, and so on."""
SHARED: Final = WIDER[1:]
"""Ceilings that runs share, and so the processes in which they run: each has its part."""
FLAT: Final = (*WIDER, "deadline_s", "soft_deadline_s")


class Surface(BaseModel):
    """A named set of limits; what it leaves out is as in the flat settings of the same names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_usd: Usd | None = None
    """The most that one run may cost."""
    session_usd: Usd | None = None
    """The most that one session may cost."""
    user_day_usd: Usd | None = None
    """The most that one user may cost in a UTC day."""
    tenant_day_usd: Usd | None = None
    """The most that one tenant may cost in a UTC day."""
    deadline_s: Seconds | None = None
    """Seconds after which a run is ended."""
    soft_deadline_s: Seconds | None = None
    """Seconds after which no delegation starts or goes on; by default four fifths of the deadline."""
    depth: Count | None = None
    """Delegations within delegations."""
    delegations: Count | None = None
    """Delegations of one run."""
    tool_calls_per_turn: Count | None = None
    """Tool calls of one model turn that are carried out."""
    plan_steps: Count | None = None
    """Steps of one plan."""


class Tenant(Surface):
    """One tenant: its surface, what it has different from it, and its share where tenants take turns."""

    surface: str = DEFAULT
    """The surface whose limits it has; `default` is that of the flat settings."""
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many turns it has for one of a tenant of weight 1."""


Resolver = Callable[[str], Awaitable[Tenant | None]]
"""Looks a tenant up by name; None for one that does not exist."""


def run_limits(chosen: dict[str, Any], *, finish_share: float, share: float) -> RunLimits:
    """Return limits in the units that the policies use.

    A hard deadline that comes before the soft one is one that nobody wrote, and gives way.

    Args:
        chosen: every limit of a surface by name; None where there is none.
        finish_share: the part of the run's ceiling that is kept for the manager's own calls.
        share: this process's part of the ceilings that runs share.
    """
    ceiling, deadline, soft = micros(chosen["run_usd"]), chosen["deadline_s"], chosen["soft_deadline_s"]
    if soft is not None and soft > deadline:
        deadline = soft / SOFT_DEADLINE_SHARE
    return RunLimits(
        ceiling=ceiling,
        deadline_s=deadline,
        soft_deadline_s=soft or SOFT_DEADLINE_SHARE * deadline,
        depth=chosen["depth"],
        delegations=chosen["delegations"],
        tool_calls_per_turn=chosen["tool_calls_per_turn"],
        plan_steps=chosen["plan_steps"],
        finish=int(finish_share * ceiling),
        session=shared(chosen["session_usd"], share),
        user_day=shared(chosen["user_day_usd"], share),
        tenant_day=shared(chosen["tenant_day_usd"], share),
    )


def shared(usd: float | None, share: float) -> int | None:
    """Return this process's *share* of a ceiling in micro-dollars, rounded down so that all shares fit; None: none."""
    return None if usd is None else int(micros(usd) * share)


class Limited(Protocol):
    """Settings that name surfaces and tenants beside flat limits."""

    @property
    def surfaces(self) -> Mapping[str, Surface]:
        """Sets of limits by name."""

    @property
    def tenants(self) -> Mapping[str, Tenant]:
        """Tenants by name."""

    @property
    def unknown_tenants(self) -> str:
        """The surface of all others, or `refuse`."""

    @property
    def global_period(self) -> Period:
        """How long the account of all runs together lasts."""

    @property
    def share(self) -> float:
        """This process's part of the ceilings that runs share."""

    @property
    def model_fields_set(self) -> set[str]:
        """What somebody wrote."""


def check_surfaces(settings: Limited) -> None:
    """Check that limits do not contradict one another and that every surface exists.

    Only what somebody wrote can contradict: a default gives way.

    Raises:
        ValidationError: naming the setting and what is wrong with it.
    """
    places: list[tuple[tuple[str, ...], dict[str, Any]]] = [((), _written(settings))]
    for name, surface in settings.surfaces.items():
        places.append((("surfaces", name), _written(settings, surface)))
    for name, tenant in settings.tenants.items():
        under = settings.surfaces.get(tenant.surface)
        if under is None and tenant.surface != DEFAULT:
            raise _wrong(settings, ("tenants", name, "surface"), tenant.surface, _no_surface(settings), NO_SURFACE)
        places.append((("tenants", name), _written(settings, *([under] if under else ()), tenant)))
    unknown = settings.unknown_tenants
    if unknown not in (DEFAULT, REFUSE, *settings.surfaces):
        raise _wrong(settings, ("unknown_tenants",), unknown, _no_surface(settings, REFUSE), NO_SURFACE)
    for place, limits in places:
        found = contradiction(limits, settings.global_period)
        if found is not None:
            raise _wrong(settings, (*place, found[0]), limits[found[0]], found[1])
        nothing = _nothing_left(limits, settings.share)
        if nothing:
            raise _wrong(settings, ("share",), settings.share, nothing)


def check_tenant(settings: Limited, name: str, tenant: Tenant) -> None:
    """Check the limits of a tenant that no settings name, as `check_surfaces` does those of the others.

    Raises:
        Invalid: `bad_tenant_limits`.
    """
    limits = _written(settings, settings.surfaces.get(tenant.surface, Surface()), tenant)
    found = contradiction(limits, settings.global_period)
    wrong = f"{found[0]} = {limits[found[0]]:g} {found[1]}" if found else _nothing_left(limits, settings.share)
    if wrong:
        raise Invalid(
            f"the limits of tenant {name!r} contradict one another: {wrong}", code="bad_tenant_limits",
            hint="correct them where tenants are looked up",
        )  # fmt: skip


def contradiction(limits: Mapping[str, Any], period: Period = "day") -> tuple[str, str] | None:
    """Return which of *limits* contradicts another, and what is wrong, or None; what is not given is left out.

    Of what all runs together may cost in an hour, days and sessions are no part: they may last longer.
    """
    given = [(name, limits[name]) for name in WIDER if limits.get(name) is not None]
    for place, (narrow, least) in enumerate(given):
        for wide, most in given[place + 1 :]:
            longer = wide == "global_usd" and period == "hour" and narrow != "run_usd"
            if least > most and not longer:
                return wide, f"should be at least {narrow} ({least:g}), which is part of it"
    soft, hard = limits.get("soft_deadline_s"), limits.get("deadline_s")
    if soft is not None and hard is not None and soft > hard:
        return "soft_deadline_s", f"should be at most deadline_s ({hard:g})"
    return None


def _nothing_left(limits: Mapping[str, Any], share: float) -> str:
    """Say of which ceiling in *limits* a *share* is nothing, when that is so: every call would be refused."""
    for name in SHARED:
        usd = limits.get(name)
        if usd and not shared(usd, share):
            return f"share = {share:g} should leave at least a millionth of a dollar of {name} ({usd:g}); raise either"
    return ""


def _written(settings: Limited, *surfaces: Surface) -> dict[str, Any]:
    """Return the limits that somebody wrote: of the last of *surfaces* to say it, else the flat one."""
    flat = {name: getattr(settings, name) for name in settings.model_fields_set if name in FLAT}
    for surface in surfaces:
        flat |= {name: said for name in FLAT if (said := getattr(surface, name, None)) is not None}
    return flat


def _no_surface(settings: Limited, *more: str) -> str:
    return f"should be one of {', '.join((DEFAULT, *settings.surfaces, *more))}"


def _wrong(
    settings: Limited, place: tuple[str, ...], given: Any, message: str, kind: str = "contradiction"
) -> ValidationError:
    said = PydanticCustomError(kind, "{message}", {"message": message})
    error = InitErrorDetails(type=said, loc=place, input=given)
    return ValidationError.from_exception_data(type(settings).__name__, [error])
