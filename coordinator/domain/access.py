"""How providers are reached, as people write it in settings."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ProviderSetting(BaseModel):
    """How to reach a provider, in place of the usual environment variables."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    api_key: SecretStr | None = Field(default=None, repr=False)
    base_url: str | None = None
    """Where it listens: OpenAI's with /v1, the others without a version."""
    options: dict[str, Any] = {}
    """More fields of every request, in the provider's own words."""
    reasoning_tokens: int | None = Field(default=None, ge=0, le=1_000_000)
    """Tokens that a model may take for its thoughts, beside the reply that its agent allows."""

    def given(self) -> dict[str, Any]:
        """Return what adapters take."""
        key = None if self.api_key is None else self.api_key.get_secret_value()
        return {"key": key, "base_url": self.base_url, "options": self.options}
