"""A fuzzer that is guided by what it sees: an input that makes the program do something new is mutated further.

What is new is told by features, such as the codes of all diagnostics: no instrumented interpreter is needed. A failing
input is made as small as it will go, and written where it can be taken into the corpus.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Input = TypeVar("Input")

_SAFETY_NET = 120  # seconds after which one input counts as endless
_MOST_SHRUNK = 300  # tries to make a failing input smaller


@dataclass(frozen=True, slots=True)
class Target(Generic[Input]):
    """What is fuzzed.

    Attributes:
        attempt: tries one input, returns its feature, and raises where the program does what it must not.
        mutate: returns an input made of one by a change; it may take pieces of others.
        shrink: yields inputs that are smaller than one.
    """

    attempt: Callable[[Input], Hashable]
    mutate: Callable[[Input, Sequence[Input], random.Random], Input]
    shrink: Callable[[Input], Iterator[Input]]


@dataclass(frozen=True, slots=True)
class Found(Generic[Input]):
    """How far a fuzzer came: what it tried, which features it saw, and the first failing input, as small as can be."""

    tried: int
    features: int
    failing: Input | None = None
    error: Exception | None = None


def fuzz(target: Target[Input], corpus: Sequence[Input], seed: int, seconds: float, least: int) -> Found[Input]:
    """Try the whole corpus, then mutations for so many seconds, ``least`` of them in any case."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    pool, seen = list(corpus), set()
    end, tried = time.monotonic() + seconds, 0
    for each in _inputs(target, pool, len(corpus), chance):
        if tried >= len(corpus) + least and time.monotonic() > end:
            break
        tried += 1
        try:
            feature = _attempt(target, each)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            return Found(tried, len(seen), _smallest(target, each, error), error)
        if feature not in seen:
            seen.add(feature)
            pool.append(each)
    return Found(tried, len(seen))


def _inputs(target: Target[Input], pool: list[Input], corpus: int, chance: random.Random) -> Iterator[Input]:
    yield from pool[:corpus]
    while True:
        # What was found last is the least explored.
        recent = pool[-20:] if chance.random() < 0.5 else pool
        yield target.mutate(chance.choice(recent), pool, chance)


def _smallest(target: Target[Input], failing: Input, error: Exception) -> Input:
    """Return the smallest input that can be found to fail in the same way."""
    left = _MOST_SHRUNK
    smaller = True
    while smaller and left:
        smaller = False
        for each in target.shrink(failing):
            left -= 1
            if not left:
                break
            try:
                _attempt(target, each)
            except Exception as other:  # noqa: BLE001 - likewise
                if type(other) is type(error):
                    failing, smaller = each, True
                    break
    return failing


def _attempt(target: Target[Input], each: Input) -> Hashable:
    with _limited():
        return target.attempt(each)


@contextmanager
def _limited() -> Iterator[None]:
    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError(f"not done after {_SAFETY_NET} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_SAFETY_NET)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
