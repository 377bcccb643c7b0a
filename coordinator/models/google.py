"""Google's generateContent, streamed: https://ai.google.dev/api/generate-content."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from orjson import Fragment

from coordinator.domain.content import Message, StopReason, Text, ToolResult, ToolUse
from coordinator.domain.model import ModelRequest, OutputSpec, ToolSpec
from coordinator.domain.money import Usage
from coordinator.models.adapter import Adapter
from coordinator.models.draft import Draft, ErrorEventError, count, fields_of, signature_of, unsupported, wish
from coordinator.models.keys import GOOGLE
from coordinator.models.reasoning import FOREIGN, signs
from coordinator.models.schemas import ANSWER, check_names, for_google

REFUSALS = frozenset("SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY".split())
STOPS = {
    "STOP": StopReason.END, "MAX_TOKENS": StopReason.MAX_TOKENS, **dict.fromkeys(REFUSALS, StopReason.REFUSAL),
}  # fmt: skip


class Google(Adapter):
    """Google's models. A typed answer comes as JSON; where tools are offered beside it, it is handed in by one."""

    __slots__ = ()

    vendor = GOOGLE

    def access(self, key: str) -> dict[str, str]:
        """Return the header that carries the key."""
        return {"x-goog-api-key": key}

    def path(self, model: str) -> str:
        """Return the path of *model*."""
        return f"/v1beta/models/{quote(model.removeprefix('models/'), safe='')}:streamGenerateContent?alt=sse"

    def ask(self, model: str, request: ModelRequest) -> tuple[dict[str, Any], Draft]:
        """Return a request with the system text apart."""
        system: list[dict[str, Any]] = []
        contents: list[dict[str, Any]] = []
        for message in request.messages:
            if message.role == "system":
                system.append({"text": message.text})
            else:
                _say(message, contents, model)
        settings = {**self.options.get("generationConfig", {}), "maxOutputTokens": request.max_output_tokens}
        body: dict[str, Any] = {"contents": contents, "generationConfig": settings}
        if system:
            body["systemInstruction"] = {"parts": system}
        answer, declared = "", [*map(self.tools, request.tools)]
        if request.output is not None and declared:  # models before Gemini 3 take no schema beside tools
            check_names(request.tools)
            answer = ANSWER
            declared.append(self.answers(request.output))
            body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY"}}
        elif request.output is not None:
            settings["responseMimeType"] = "application/json"
            settings["responseJsonSchema"] = self.formats(request.output)
        if declared:
            body["tools"] = [{"functionDeclarations": declared}]
        return body, CandidateDraft(request, answer)

    def tool(self, spec: ToolSpec) -> Fragment:
        """Write a tool as the declaration of a function."""
        schema = for_google(spec.schema)
        told = {"name": spec.name, "description": spec.description, "parametersJsonSchema": schema}
        return Fragment(orjson.dumps(told))

    def form(self, output: OutputSpec) -> Fragment:
        """Write the type of an answer as the schema of the reply."""
        return Fragment(orjson.dumps(for_google(output.schema)))


class CandidateDraft(Draft):
    """A reply in pieces, each of which is shaped like the whole; a function call is never cut in two."""

    __slots__ = ()

    def read(self, event: Mapping[str, Any]) -> None:
        """Take in one piece."""
        if "error" in event:
            raise ErrorEventError(event["error"])
        self.begun = True
        self.id, self.model = event.get("responseId") or self.id, event.get("modelVersion") or self.model
        if event.get("usageMetadata"):
            self.usage = _usage(event["usageMetadata"])
        blocked = (event.get("promptFeedback") or {}).get("blockReason")
        if blocked:
            self._refuse(f"the provider blocked the prompt ({blocked})")
        for candidate in event.get("candidates") or ():
            self._read(candidate)

    def _read(self, candidate: Mapping[str, Any]) -> None:
        for part in (candidate.get("content") or {}).get("parts") or ():
            if "functionCall" in part:
                called = part["functionCall"]
                # Older models name no calls; other providers want names that no other call has.
                name = called.get("id") or f"{self.id or 'call'}-{len(self.uses) + 1}"
                arguments = orjson.dumps(called.get("args") or {}).decode()
                self.uses.append(wish(name, called["name"], arguments, part.get("thoughtSignature", "")))
            elif not part.get("thought"):
                self.text.append(part.get("text", ""))
        reason = candidate.get("finishReason")
        if not reason:
            return
        if reason in REFUSALS:
            self._refuse("".join(self.text) or f"the provider stopped it ({reason})")
        elif reason in STOPS:
            self.stop = STOPS[reason]
        else:
            raise ErrorEventError({"message": f"the reply ended with {reason}"})

    def _refuse(self, why: str) -> None:
        self.refused, self.stop = [why], StopReason.REFUSAL


def _usage(told: Mapping[str, Any]) -> Usage:
    thoughts = count(told, "thoughtsTokenCount")
    return Usage(
        count(told, "promptTokenCount") + count(told, "toolUsePromptTokenCount"),
        count(told, "candidatesTokenCount") + thoughts, count(told, "cachedContentTokenCount"), thoughts,
    )  # fmt: skip


def _say(message: Message, into: list[dict[str, Any]], model: str) -> None:
    parts: list[dict[str, Any]] = []
    missing = FOREIGN if signs(model) else ""
    for part in message.parts:
        if isinstance(part, Text):
            if part.text:  # empty text is refused
                parts.append({"text": part.text})
        elif isinstance(part, ToolUse):
            called = {"functionCall": {"id": part.id, "name": part.name, "args": fields_of(part.arguments)}}
            signature, missing = signature_of(part, "google", model) or missing, ""
            parts.append({**called, "thoughtSignature": signature} if signature else called)
        elif isinstance(part, ToolResult):
            parts.append({"functionResponse": {"id": part.id, "name": part.name, "response": fields_of(part.text)}})
        else:
            raise unsupported(part, "google")
    if parts:
        into.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
