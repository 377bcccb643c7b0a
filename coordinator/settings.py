"""Typed settings from code, environment and the workspace's file, in this order of precedence."""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from coordinator.domain.access import ProviderSetting
from coordinator.domain.alarms import AlarmSetting
from coordinator.domain.errors import Invalid
from coordinator.domain.limits import BreakerLimits, GateLimits, RetryLimits
from coordinator.domain.prices import ModelPrice
from coordinator.domain.scope import RunLimits
from coordinator.domain.surfaces import Count, Period, Seconds, Surface, Tenant, Usd, check_surfaces, run_limits
from coordinator.sources import Environment, bad_settings, file_source, fraction, workspace_file

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Part = Annotated[Share, BeforeValidator(fraction)]


class Section(BaseModel):
    """A part of the settings; unknown names are errors, because a misspelt limit limits nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(Section):
    """A limit on how often something may be called: so many requests and tokens in any window of *per_s* seconds."""

    requests: Count | None = None
    tokens: Count | None = None
    per_s: Seconds = 60.0
    queue: Count = 1000
    """Calls that may wait; the next is refused."""
    burst: float = Field(default=0.25, gt=0, le=0.9)
    """The share of a window's amount that may pass at once; the rest is spread over the window."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests is None and self.tokens is None:
            raise ValueError("it limits neither requests nor tokens; set one of them, or leave the rate out")
        return self

    def limits(self) -> GateLimits:
        """Return the numbers by which gates are built."""
        requests, tokens = self.requests or math.inf, self.tokens or math.inf
        return GateLimits(requests, tokens, self.per_s, self.queue, self.burst)


class BreakerSetting(Section):
    """When a tool or model counts as down."""

    failures: Count = 5
    """Failures in a row that open the breaker."""
    cooldown_s: Seconds = 30.0
    """Seconds until one call may probe whether it is up again."""
    rate: Share = 0.5
    """The share of failures in the window that opens the breaker, too."""
    window_s: Seconds = 60.0
    """Seconds that the window looks back."""
    calls: Count = 20
    """Results in the window from which on the share counts."""

    @model_validator(mode="after")
    def _counts_every_failure(self) -> Self:
        if {"calls", "failures"} <= self.model_fields_set and self.calls < self.failures:
            raise ValueError(
                f"calls = {self.calls} is below failures = {self.failures}: so many failures in a row would never be "
                "counted, because the share of fewer calls opens the breaker before; raise calls or lower failures"
            )
        return self

    def limits(self) -> BreakerLimits:
        """Return the numbers by which breakers are built."""
        failures = min(self.failures, self.calls) if "calls" in self.model_fields_set else self.failures
        return BreakerLimits(failures, self.cooldown_s, self.rate, self.window_s, max(self.calls, failures))


class RetrySetting(Section):
    """How often, and how patiently, what failed is tried again."""

    attempts: Count = 3
    base_s: Seconds = 0.2
    cap_s: Seconds = 20.0

    @model_validator(mode="after")
    def _waits_its_base(self) -> Self:
        if {"base_s", "cap_s"} <= self.model_fields_set and self.base_s > self.cap_s:
            raise ValueError(f"base_s = {self.base_s:g} is above cap_s = {self.cap_s:g}; raise cap_s or lower base_s")
        return self

    def limits(self) -> RetryLimits:
        """Return the numbers by which retries wait."""
        cap_s = self.cap_s if "cap_s" in self.model_fields_set else max(self.cap_s, self.base_s)
        return RetryLimits(self.attempts, self.base_s, cap_s)


class AdmissionSetting(Section):
    """How many runs work at once, and how many may wait for their turn."""

    runs: Count = 1000
    waiting: int = Field(default=10_000, ge=0)


class CacheSetting(Section):
    """How long a model's reply answers the very same request of the same tenant again."""

    for_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 300.0
    """Seconds; 0 keeps nothing, and requests in flight are still shared."""
    entries: Count = 10_000
    """Replies that are kept."""


# The offline model costs nothing; it has a price so that ceilings, reservations and bills are exercised as with a
# real one. The figures are those of a small commercial model.
DEFAULT_PRICES = {
    "offline:*": ModelPrice(input=0.15, output=0.60, tool_tokens=0),
    "scripted:*": ModelPrice(input=0.15, output=0.60, tool_tokens=0),
}
DEFAULT_MODELS: dict[str, str | list[str]] = {"small": "offline", "large": "offline"}
TABLES: dict[str, dict[str, Any]] = {"models": DEFAULT_MODELS, "prices": DEFAULT_PRICES}
"""What is in a table where nobody says otherwise, entry by entry."""


class Settings(BaseSettings):
    """All settings of a Coordinator.

    Environment variables are `COORDINATOR_` and the name (`COORDINATOR_RUN_USD=0.5`; parts of sections are joined by
    two underscores). The workspace's file is the nearest `coordinator.toml`, or `[tool.coordinator]` in
    `pyproject.toml`, in the current folder or above.
    """

    model_config = SettingsConfigDict(
        env_prefix="COORDINATOR_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )
    start: ClassVar[Path | None] = None
    """Where the search for the workspace's file begins; None for the current folder."""

    team: str | None = Field(default=None, description="The team's import string, such as agents:team.")
    world: dict[str, str] = Field(default={}, description="Data of the team by name; paths relative to the workspace.")
    models: dict[str, str | list[str]] = Field(
        default=DEFAULT_MODELS, description="The model of each model class; several are tried in order."
    )
    prices: dict[str, ModelPrice] = Field(
        default=DEFAULT_PRICES, description="Dollars per million tokens, by provider:model or provider:*."
    )
    providers: dict[str, ProviderSetting] = Field(
        default={}, description="Keys, addresses and options of providers, in place of the environment's."
    )
    run_usd: Usd = Field(default=0.50, description="The most that one run may cost.")
    session_usd: Usd | None = Field(default=None, description="The most that one session may cost.")
    user_day_usd: Usd | None = Field(default=None, description="The most that one user may cost in a UTC day.")
    tenant_day_usd: Usd | None = Field(default=None, description="The most that one tenant may cost in a UTC day.")
    global_usd: Usd | None = Field(default=None, description="The most that all runs may cost in a `global_period`.")
    global_period: Period = Field(
        default="day", description="How long `global_usd` holds, in UTC: an hour, a day, a month, or in total."
    )
    surfaces: dict[str, Surface] = Field(
        default={}, description="Sets of limits by name; what one leaves out is as in the settings of the same names."
    )
    tenants: dict[str, Tenant] = Field(
        default={}, description="Tenants by name: their surface, limits of their own and their weight."
    )
    unknown_tenants: str = Field(
        default="default", description="The surface of tenants that are not named, or refuse to turn them away."
    )
    min_output_tokens: Count = Field(
        default=256, description="A call whose money is short is cut down to no shorter reply than this."
    )
    finish_share: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.1, description="The part of a run's ceiling that is kept for the manager's own calls."
    )
    alert_share: Share = Field(default=0.8, description="The part of a ceiling that raises a budget.alert when spent.")
    share: Part = Field(
        default=1.0,
        description="This process's part of the ceilings that runs share, where several processes run, such as 1/4.",
    )
    workers: Count | None = Field(
        default=None,
        description="Processes that work side by side with these settings; by default what the server was told.",
    )
    money_queue: Count = Field(
        default=10_000, description="Calls that may wait until others have settled; the next is refused."
    )
    deadline_s: Seconds = Field(default=300.0, description="Seconds after which a run is ended.")
    soft_deadline_s: Seconds | None = Field(
        default=None,
        description="Seconds after which no delegation starts or goes on; by default four fifths of the deadline.",
    )
    depth: Count = Field(default=3, description="Delegations within delegations.")
    delegations: Count = Field(default=24, description="Delegations of one run.")
    tool_calls_per_turn: Count = Field(default=8, description="Tool calls of one model turn that are carried out.")
    plan_steps: Count = Field(default=12, description="Steps of one plan.")
    model_timeout_s: Seconds = Field(default=120.0, description="Seconds that one attempt of a model call may take.")
    stragglers: Count = Field(
        default=64, description="Abandoned tool calls that may go on alone before blocking ones are refused."
    )
    admission: AdmissionSetting = AdmissionSetting()
    retry: RetrySetting = RetrySetting()
    breaker: BreakerSetting = BreakerSetting()
    cache: CacheSetting | None = Field(
        default=None, description="Whether replies of models are used again for the very same request of a tenant."
    )
    content: bool = Field(
        default=False, description="Whether events carry content too: what is asked, answered and found."
    )
    alarms: AlarmSetting = AlarmSetting()
    otel: bool = Field(default=False, description="Whether traces and metrics go to OpenTelemetry, by its variables.")
    run_files: Annotated[int, Field(ge=0)] = Field(
        default=100, description="Files of runs that `coordinator run` keeps in .coordinator/runs; 0 writes none."
    )
    rates: dict[str, Rate] = Field(
        default={},
        description="Rate limits by provider:model, provider:*, tool or tool#tier, and by user:*, agent:*, tenant:*, "
        "provider:NAME and global.",
    )

    @field_validator(*TABLES)
    @classmethod
    def _with_defaults(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return {**TABLES[str(info.field_name)], **given}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        check_surfaces(self)
        return self

    def limits(self, *surfaces: Surface) -> RunLimits:
        """Return the bounds of one run, in the units that the policies use; the first of *surfaces* to say it wins."""
        chosen = {
            name: next((said for one in surfaces if (said := getattr(one, name)) is not None), getattr(self, name))
            for name in Surface.model_fields
        }
        return run_limits(chosen, finish_share=self.finish_share, share=self.share)

    def gate_limits(self) -> dict[str, GateLimits]:
        """Return what the rates say, by their names, in the units that gates use."""
        return {name: rate.limits() for name, rate in self.rates.items()}

    def places(self) -> dict[str, Path]:
        """Return the world's files and folders; what is relative lies in the workspace, or in the current folder."""
        file = workspace_file(self.start or Path.cwd()) if self.world else None
        root = file.parent if file else Path.cwd()
        return {name: root / place for name, place in self.world.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Code goes before the environment, the environment before the workspace's file."""
        file = workspace_file(cls.start or Path.cwd())
        environment = Environment(settings_cls)
        if file is None:
            return init_settings, environment
        return init_settings, environment, file_source(settings_cls, file)


def load_settings(start: Path, **code: Any) -> Settings:
    """Return the settings of the workspace around *start*, overridden by *code*.

    Raises:
        Invalid: `bad_settings`, naming the setting, what is wrong with it and where it may stand.
    """
    located = type("Settings", (Settings,), {"start": start, "__doc__": Settings.__doc__, "__module__": __name__})
    try:
        settings: Settings = located(**code)
        return settings
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        variable = "__".join(map(str, found[0]["loc"])).upper()
        where = workspace_file(start) or "the environment"
        raise bad_settings(found, f"correct it in {where}, in COORDINATOR_{variable} or in the code") from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{workspace_file(start)}: {error}", code="bad_toml", hint="correct the TOML") from error
    except SettingsError as error:
        raise Invalid(
            f"an environment variable is wrong: {error}", code="bad_settings", hint="give it as JSON"
        ) from error
