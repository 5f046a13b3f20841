"""An events plugin as they were written in 2017: a module with `event_types` and `run`, and nothing else."""

BLOCK_VALID = 1

event_types = BLOCK_VALID


def run(queue):
    print("=" * 64)
    print("print_on_console is waiting for blocks")
    print("=" * 64)
    while True:
        event = queue.get()
        print("-" * 64)
        print(event.data["id"])
        print("-" * 64)
