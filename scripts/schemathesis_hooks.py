"""Every made-up request comes from an address of its own, so that wrong credentials do not use up the limit on failed sign-ins."""

import random

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    octets = [10] + [random.randint(1, 254) for _ in range(3)]
    case.headers["X-Forwarded-For"] = ".".join(map(str, octets))


@schemathesis.hook
def filter_query(context, query):
    """An object or a list without members is sent as an empty value, which counts as none."""
    return not any(value in ({}, []) for value in (query or {}).values())
