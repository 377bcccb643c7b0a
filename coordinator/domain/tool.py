"""A tool: a function that agents may call, and the contract that says how."""

import dis
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, get_type_hints, overload

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.fields import FieldInfo

from coordinator.domain.effects import Effect
from coordinator.domain.errors import Invalid
from coordinator.domain.model import ToolSpec
from coordinator.domain.money import micros
from coordinator.domain.scope import TenantContext

R = TypeVar("R")
W_co = TypeVar("W_co", covariant=True)
T = TypeVar("T")


class ToolContext(Protocol[W_co]):
    """What a tool may read while it works: the team's resources, who asks, and how long it has."""

    @property
    def resources(self) -> W_co:
        """What the team's resource factory opened."""

    @property
    def tenant(self) -> TenantContext:
        """Who asks."""

    @property
    def step(self) -> str:
        """The id of this call; with `run_id` unique, and the same on every attempt."""

    @property
    def run_id(self) -> str:
        """The run that the call belongs to."""

    def remaining(self) -> float:
        """Seconds until the run's deadline; infinite when it has none."""

    async def offload(self, work: Callable[..., T], *args: Any) -> T:
        """Run blocking *work* where it cannot stop the others."""


class Contract:
    """What is promised about a tool: schemas, version, effect, price, timeout and error codes.

    Args:
        name: how models call it.
        description: the docstring's summary; the effect's sentence is appended for models.
        arguments: pydantic model of the arguments.
        output: adapter that verifies what the tool returns.
        effect: what it does to the world.
        version: of the contract; part of idempotency keys.
        timeout: seconds one attempt may take.
        price: micro-dollars per call.
        errors: exceptions that the tool declares, and their stable codes.
        keyed: the system behind the tool recognises a repeated step, so that repeating an effect is safe.
    """

    def __init__(
        self,
        name: str,
        description: str,
        arguments: type[BaseModel],
        output: TypeAdapter[Any],
        *,
        effect: Effect,
        version: str,
        timeout: float,
        price: int,
        errors: Mapping[type[Exception], str],
        keyed: bool,
    ) -> None:
        self.name = name
        self.description = description
        self.arguments = arguments
        self.output = output
        self.effect = effect
        self.version = version
        self.timeout = timeout
        self.price = price
        self.errors = errors
        self.keyed = keyed

    @cached_property
    def spec(self) -> ToolSpec:
        """The tool as models are offered it; built once, because a JSON schema costs milliseconds."""
        described = f"{self.description} {self.effect.sentence}".strip()
        return ToolSpec.of(self.name, described, self.arguments.model_json_schema())


class Tool(Generic[R]):
    """A contract and its tiers: implementations of which the next is tried when one is down."""

    def __init__(self, contract: Contract, tiers: tuple[Callable[..., Any], ...]) -> None:
        self.contract = contract
        self.tiers = tuple(Tier(tier) for tier in tiers)

    @property
    def name(self) -> str:
        """How models call it."""
        return self.contract.name

    def __repr__(self) -> str:
        return f"Tool({self.name!r}, {len(self.tiers)} tiers)"


class Tier:
    """One implementation of a tool: an async function, or a blocking one that runs offloaded."""

    __slots__ = ("blocking", "function", "takes_context", "waits")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.blocking = not inspect.iscoroutinefunction(function)
        self.takes_context = "ctx" in inspect.signature(function).parameters
        self.waits = _may_wait(function)
        """Whether an async function may wait; one that awaits nothing answers at once, always."""


def _may_wait(function: Callable[..., Any]) -> bool:
    """Say whether there is any await in *function*, as its bytecode shows; so it seems where there is none to look at.

    `await`, `async with` and `async for` all ask for an awaitable (https://docs.python.org/3/library/dis.html).
    """
    code = getattr(function, "__code__", None)
    if code is None or not code.co_flags & inspect.CO_COROUTINE:  # it hands on somebody else's coroutine
        return True
    return any(one.opname.startswith(("GET_A", "YIELD_")) for one in dis.get_instructions(code))


class ToolDecorator(Protocol):
    """Makes a tool of a function; what an async function returns is what is awaited."""

    @overload
    def __call__(self, function: Callable[..., Coroutine[Any, Any, R]], /) -> Tool[R]: ...
    @overload
    def __call__(self, function: Callable[..., R], /) -> Tool[R]: ...


def tool(
    *,
    effect: Effect = Effect.READ,
    version: str = "1.0",
    timeout: float = 30.0,
    price_usd: float = 0.0,
    errors: Mapping[type[Exception], str] | None = None,
    keyed: bool = False,
    fallbacks: Sequence[Callable[..., Any]] = (),
) -> ToolDecorator:
    """Make a function a tool.

    Its annotated parameters become the argument schema and its return annotation the output schema; descriptions come
    from the docstring. A parameter named `ctx` receives a ToolContext and is not shown to models.

    Args:
        effect: what the tool does to the world; decides retry and approval.
        version: of the contract.
        timeout: seconds one attempt may take.
        price_usd: dollars per call.
        errors: exceptions that the tool raises on purpose, and the code each becomes.
        keyed: repeating the same step is safe, because the system behind the tool recognises it.
        fallbacks: further implementations with the same parameters, tried in order when the one before is down.

    Raises:
        Invalid: a parameter or the result has no annotation, or a fallback takes other parameters.
    """

    def decorate(function: Callable[..., Any]) -> Tool[Any]:
        tiers = (function, *fallbacks)
        for other in fallbacks:
            if _names(other) != _names(function):
                raise Invalid(
                    f"fallback {other.__name__} of tool {function.__name__} takes other parameters",
                    code="bad_tool",
                    hint="give every tier the same parameter names",
                )
        summary, described = _documentation(function)
        arguments, output = _schemas(function, described)
        contract = Contract(
            function.__name__, summary, arguments, output,
            effect=effect, version=version, timeout=timeout, price=micros(price_usd), errors=errors or {}, keyed=keyed,
        )  # fmt: skip
        return Tool(contract, tiers)

    return decorate


def _names(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "ctx"]


def _documentation(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    parsed = docstring_parser.parse(inspect.getdoc(function) or "")
    text = " ".join(f"{parsed.short_description or ''} {parsed.long_description or ''}".split())
    return text, {param.arg_name: " ".join((param.description or "").split()) for param in parsed.params}


def _schemas(function: Callable[..., Any], described: Mapping[str, str]) -> tuple[type[BaseModel], TypeAdapter[Any]]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "ctx":
            continue
        if name not in hints:
            raise Invalid(
                f"parameter {name} of tool {function.__name__} has no annotation",
                code="bad_tool", hint="annotate it with its type",
            )  # fmt: skip
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints[name], _field(default, described.get(name)))
    if "return" not in hints:
        raise Invalid(
            f"tool {function.__name__} does not say what it returns", code="bad_tool", hint="annotate the result"
        )
    strict = ConfigDict(extra="forbid", frozen=True)
    arguments = create_model(f"{function.__name__}_arguments", __config__=strict, **fields)
    return arguments, TypeAdapter(hints["return"])


def _field(default: Any, description: str | None) -> FieldInfo:
    field: FieldInfo = Field(default, description=description)
    return field
