"""Every name of OpenTelemetry's GenAI conventions that is used here, and no other place holds one.

They are those of October 2026, of https://github.com/open-telemetry/semantic-conventions-genai, still in development.
They are written out, because they left the package `opentelemetry-semantic-conventions`.
"""

# Operations, which also begin the names of spans.
INVOKE_WORKFLOW = "invoke_workflow"
INVOKE_AGENT = "invoke_agent"
CHAT = "chat"
EXECUTE_TOOL = "execute_tool"

OPERATION = "gen_ai.operation.name"
WORKFLOW = "gen_ai.workflow.name"
AGENT = "gen_ai.agent.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
RESPONSE_ID = "gen_ai.response.id"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - it is no password
TOOL = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
FUNCTION = "function"
ERROR = "error.type"

PROVIDERS = {"google": "gcp.gemini", "openai-responses": "openai"}
"""Providers that the conventions name otherwise than we do."""

# Histograms, and the boundaries that the conventions advise.
CLIENT_DURATION = "gen_ai.client.operation.duration"
CLIENT_TOKENS = "gen_ai.client.token.usage"
WORKFLOW_DURATION = "gen_ai.invoke_workflow.duration"
AGENT_DURATION = "gen_ai.invoke_agent.duration"
TOOL_DURATION = "gen_ai.execute_tool.duration"
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
LONG_SECONDS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
TOKENS = (1.0, *(float(4**power) for power in range(1, 14)))


def asked(model: str) -> dict[str, str]:
    """Return what `provider:name` says of the model that was asked."""
    provider, _, name = model.partition(":")
    name = name.partition("@http")[0]  # compatible:NAME@URL
    return {PROVIDER: PROVIDERS.get(provider, provider), REQUEST_MODEL: name or provider}
