"""Every scenario with its sizes: quick is part of `make test`, full is `make faults`."""

from tests.faults import disk, harm, syscalls
from tests.faults.harm import Size
from tests.faults.scenarios import Scenario

TROUBLE = {"ok": 8, "early": 2, "slow": 1, "429": 1, "429 later": 1, "130429": 1, "131056": 1, "500": 2}
DARKNESS = {"ok": 8, "html": 1, "drop": 2}
ENDS = {"ok": 6, "kill after": 1, "kill before": 1, "drop": 1}

SCENARIOS = [
    Scenario(
        "kill-web", "kill -9 of web processes at random", "F01 F02 F03", harm.kill_webs,
        {"quick": Size(150, rate=40, kills=3), "full": Size(1500, copies=2, rate=60, kills=30, sends=50)},
    ),
    Scenario(
        "kill-worker", "kill -9 of workers at random", "F03 F04 F05", harm.kill_workers,
        {"quick": Size(150, rate=40, kills=3, sends=10), "full": Size(1500, copies=2, rate=60, kills=30, sends=100)},
    ),
    Scenario(
        "batch", "kill -9 of workers inside webhooks of 1,000 messages", "F04", harm.kill_workers_until_processed,
        {"quick": Size(300, kills=2), "full": Size(4000, kills=12)}, people=40, per_body=1000,
    ),
    Scenario(
        "syscall", "killed at a chosen system call (strace)", "F01 F02 F04 F05", harm.kill_at_syscalls,
        {"quick": Size(300, rate=40, kills=4, sends=10), "full": Size(2500, rate=50, kills=40, sends=100)},
        needs=syscalls.missing,
    ),
    Scenario(
        "sends", "killed between POST and its outcome; accepted, then cut off", "F05 F33", harm.nothing,
        {"quick": Size(40, rate=40, sends=16, pace=4), "full": Size(200, rate=40, sends=90, pace=2)}, graph=ENDS,
    ),
    Scenario(
        "graph", "Graph says 429, 130429, 131056, 500, is slow; workers killed", "F30 F31 F45", harm.kill_workers,
        {"quick": Size(40, rate=40, sends=16, kills=2), "full": Size(600, rate=20, sends=150, kills=8)}, graph=TROUBLE,
    ),
    Scenario(
        "unanswered", "Graph says HTML 502, stalls, accepts and hangs up; workers killed", "F31 F33 F34",
        harm.kill_workers,
        {"quick": Size(40, rate=40, sends=16, kills=1), "full": Size(600, rate=20, sends=120, kills=6)},
        graph=DARKNESS | {"stall": 1},
    ),
    Scenario(
        "crash", "PostgreSQL crashes (immediate)", "F07", harm.crash_database,
        {"quick": Size(150, rate=40, crashes=1, sends=8), "full": Size(2000, rate=60, crashes=10, sends=100)},
    ),
    Scenario(
        "away", "PostgreSQL refuses {seconds:g} s, later is silent half as long", "F08", harm.lose_database,
        {"quick": Size(150, rate=20, seconds=2), "full": Size(2500, rate=40, seconds=30, sends=60)},
    ),
    Scenario(
        "redis", "Redis forgets (FLUSHALL ×{flushes}), then is gone {seconds:g} s", "F11", harm.lose_redis,
        {"quick": Size(150, rate=60, flushes=5, seconds=1), "full": Size(1500, rate=50, flushes=20, seconds=20)},
    ),
    Scenario(
        "shuffle", "every webhook ×{copies} at once, shuffled by 500", "F14 F15 F16", harm.nothing,
        {"quick": Size(100, copies=10, sends=8), "full": Size(1500, copies=10, sends=60)},
        people=40, window=500, connections=48, graph={"ok": 2, "early": 1},
    ),
    Scenario(
        "freeze", "a worker, then a web process frozen {seconds:g} s (SIGSTOP), thawed", "F40", harm.freeze,
        {"quick": Size(150, rate=40, seconds=2, sends=8), "full": Size(2500, rate=30, seconds=35, sends=80)},
    ),
    Scenario(
        "disk", "the volume of database and media is full {seconds:g} s", "F12 F13", harm.fill_disk,
        {"quick": Size(200, rate=40, seconds=2), "full": Size(1000, rate=40, seconds=10, sends=40)},
        needs=disk.missing, disk=256,
    ),
    Scenario(
        "rolling", "rolling restart for {seconds:g} s, {rate:g} webhooks/s, all answered 200", "F06", harm.roll,
        {"quick": Size(300, rate=50, seconds=5, sends=8), "full": Size(15000, rate=50, seconds=300, sends=200)},
        all_taken=True,
    ),
    Scenario(
        "join", "a second web process and worker come under load", "F40", harm.join,
        {"full": Size(3000, rate=60, sends=200, pace=5)},
    ),
    Scenario(
        "big", "all of it: {kills} kills, {crashes} crashes, {flushes} FLUSHALLs; ×{copies}, shuffled", "F01–F16",
        harm.everything,
        {
            "quick": Size(100, copies=10, kills=6, crashes=1, flushes=2, sends=10),
            "full": Size(10_000, copies=10, kills=200, crashes=10, flushes=20, sends=300),
        },
        people=400, window=500, connections=32,
    ),
]  # fmt: skip
