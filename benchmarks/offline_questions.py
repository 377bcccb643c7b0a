"""The questions of `offline_quality.py`: what the documents answer, with a pattern of the answer, and what not."""

from coordinator.domain.value import value


@value
class Corpus:
    """The documentation of one package and what is asked about it."""

    package: str
    answered: tuple[tuple[str, str], ...]
    """Each question with a pattern that words which answer it match."""
    near_misses: tuple[str, ...]
    shared: tuple[str, ...] = ()
    """Answered questions that other projects may well answer too: never asked across."""


CORPORA = (
    Corpus(
        "anyio",
        (
            ("How many worker threads does AnyIO allow by default?", r"\*\*40\*\*|maximum of 40|value of 40"),
            ("What is the difference between move_on_after and fail_after?", r"exits the context block prematurely"),
            ("How do I protect a cleanup from being cancelled?", r"shield=True"),
            ("Can an event be reused after it was set?", r"cannot be reused"),
            (
                "How do I call async code from a worker thread?",
                r"from_thread\.run|coroutine function from a worker thread",
            ),
            ("Which exception class should I catch to notice a cancellation?", r"get_cancelled_exc_class"),
            ("Are the synchronization primitives thread safe?", r"not thread-safe"),
            ("What does abandon_on_cancel do when running code in a thread?", r"abandon_on_cancel=True"),
            ("How do I run a test on several async backends?", r"anyio_backend"),
            (
                "What happens to the other tasks of a task group when one of them raises an exception?",
                r"(?:host task|all|other).{0,60}cancel",
            ),
        ),
        (
            "How do I run AnyIO on top of gevent?",
            "What is the maximum size of a UDP datagram in AnyIO?",
            "How do I set the priority of a task in a task group?",
            "How do I connect to a PostgreSQL database with AnyIO?",
            "Which HTTP proxy settings does AnyIO honour?",
            "How do I resume a task group after the program was restarted?",
            "Can AnyIO run tasks on a graphics card?",
        ),
    ),
    Corpus(
        "structlog",
        (
            ("How do I capture log entries in a test?", r"capture_logs"),
            (
                "How can I make structlog faster in production?",
                r"cache_logger_on_first_use|make_filtering_bound_logger|BytesLoggerFactory",
            ),
            ("How do I add a timestamp to log entries?", r"TimeStamper"),
            ("How do I drop a log entry inside a processor?", r"DropEvent"),
            ("How can I bind a request ID for the whole web request?", r"bind_contextvars"),
            ("What are the drawbacks of caching the logger on first use?", r"not pickleable|already cached loggers"),
            ("How do I render log entries as JSON?", r"JSONRenderer"),
            ("How do I get colorful output in the console during development?", r"ConsoleRenderer|colorama|Rich"),
            ("Which arguments does a processor receive?", r"wrapped logger|method_name|event_dict"),
            ("How do I filter by log level?", r"make_filtering_bound_logger|filter_by_level"),
        ),
        (
            "How do I send log entries to Kafka?",
            "How do I rotate log files every night?",
            "How do I encrypt log entries on disk?",
            "How do I e-mail an alert to the on-call engineer?",
            "Which license fee applies to commercial use?",
            "How do I search old log entries by date?",
            "Which dashboard shows structlog entries in a browser?",
        ),
    ),
    Corpus(
        "click",
        (
            ("How do I ask the user for a password without showing it?", r"hide_input|password_option"),
            ("How do I ask whether the user wants to continue?", r"confirm"),
            ("How do I test a command line application?", r"CliRunner"),
            ("How can an option read its value from an environment variable?", r"envvar"),
            ("How do I make an option mandatory?", r"required=True|required"),
            ("How do I accept the same option several times?", r"multiple=True|multiple"),
            ("How do I show a progress bar?", r"progressbar"),
            ("How do I open the user's editor from my program?", r"click\.edit|\bedit\b"),
            ("Which exit code does a usage error have?", r"exit code.{0,40}2|exit_code = 2|status code.{0,40}2"),
            ("How do I limit an integer option to a range?", r"IntRange"),
        ),
        (
            "How do I draw a window with buttons in Click?",
            "How do I schedule a command to run every hour?",
            "How do I translate help pages into French?",
            "How do I upload a file to S3 from an option?",
            "How do I limit the memory that a command may use?",
            "How do I charge users for each command they run?",
            "Which database does Click store its history in?",
        ),
    ),
)

OFF_DOMAIN = (
    "What is the melting point of tungsten?",
    "How long do I boil an egg?",
    "Who won the football match yesterday?",
    "What is the capital of Mongolia?",
    "How many vacation days does a new employee get?",
    "Which vaccine do I need for a trip to Kenya?",
)
