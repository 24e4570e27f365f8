"""Fixtures, and how asynchronous tests are run."""

import asyncio
import inspect
import os

import pytest

from helpers import Person

# longest time for one test, in seconds
PATIENCE = float(os.environ.get("MEDVAULT_TEST_PATIENCE", "120"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that is a coroutine function runs in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run():
        await asyncio.wait_for(pyfuncitem.obj(**arguments), PATIENCE)

    asyncio.run(run())
    return True


@pytest.fixture
def person(tmp_path):
    """Makes people: `await person("mira")`."""

    async def make(name):
        return await Person(tmp_path / name, name).create()

    return make
