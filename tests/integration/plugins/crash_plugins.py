"""Plugins of crash tests: bodies of their function `run`, each with one habit."""

from collections.abc import Callable
from types import ModuleType
from typing import Final

Write = Callable[[str, str], ModuleType]

CAREFUL: Final = """
    for event in queue:
        write(event.position)
"""
GATHERING: Final = """
    gathered = []
    for event in queue:
        gathered.append(event.position)
        if len(gathered) == 4:
            write(*gathered)
            gathered.clear()
"""
DOUBLING: Final = """
    for event in queue:
        write(event.position, *([event.position] if event.position == 7 else []))
"""
RAISING: Final = """
    for event in queue:
        if event.position == 7:
            raise ValueError("seven is too much")
        write(event.position)
"""
STALLING: Final = """
    for event in queue:
        write(event.position)
        if event.position == 20:
            time.sleep(3600)
"""
LAGGING: Final = f"""{GATHERING}
    write(*gathered)


ack_lag = 3
"""
EXPLICIT: Final = """
    for event in queue:
        {first}
        {then}


acknowledge = "explicit"
"""
KEEPING: Final = """
    kept = []
    for event in queue:
        kept.append(event)
        write(event.position)
"""
SWALLOWING: Final = """
    while True:
        try:
            event = queue.get()
        except ValueError:
            return
        except Exception:
            continue
        write(event.position)
"""
STUBBORN: Final = """
    while True:
        try:
            event = queue.get()
        except BaseException:
            event = queue.get()
        write(event.position)
"""
IN_LISTS: Final = """
    while True:
        write(*(event.position for event in queue.get_many(3)))
"""
THREADS: Final = """
    from threading import Thread

    def work():
        for event in queue:
            write(event.position)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
COROUTINE: Final = """
    import asyncio

    async def main():
        async for event in queue:
            write(event.position)

    asyncio.run(main())
"""
RETURNING: Final = """
    write(queue.get().position)
"""
