"""The end of the program.

A thread of the library that calls into an interpreter on its way out, to wake a task or to tell a
listener, ends the whole process in a crash. So before that whatever still runs is stopped, and nothing
goes on before the library has let go of every Python object.
"""

import asyncio
import atexit
import time
import weakref

# longest wait, in seconds; locking a vault takes at most about ten
PATIENCE = 10.0


def watch(module):
    """Has everything that the generated `module` hands out be let go of at the end of the program."""
    objects = weakref.WeakSet()
    maps = [module._UniffiContinuationHandleMap]
    for kind in [kind for kind in vars(module).values() if isinstance(kind, type)]:
        if "_uniffi_make_instance" in vars(kind):
            _remember(kind, objects)
        if "_handle_map" in vars(kind):
            maps.append(kind._handle_map)
    atexit.register(_end, module.Vault, objects, maps)


def _remember(kind, objects):
    make = kind._uniffi_make_instance.__func__

    def make_instance(cls, handle):
        made = make(cls, handle)
        objects.add(made)
        return made

    kind._uniffi_make_instance = classmethod(make_instance)


def _end(vault, objects, maps):
    kept = list(objects)
    vaults = [one for one in kept if isinstance(one, vault)]
    if vaults:
        asyncio.run(_lock(vaults))
    for one in kept:
        # frees the handle, as the collector would; the second time there is none
        one.__del__()
        one._handle = None
    until = time.monotonic() + PATIENCE
    while any(len(held) for held in maps) and time.monotonic() < until:
        time.sleep(0.005)
    if kept:
        # a call that has let go may still be on its way back
        time.sleep(0.02)


async def _lock(vaults):
    await asyncio.gather(*(one.lock() for one in vaults), return_exceptions=True)
