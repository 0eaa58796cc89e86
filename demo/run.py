"""./dev demo: a classified-ads site under live writes, with Millstream between its database and its
main site. README.md beside this file says what is to be seen.

Three phases: set-up, live, the end (everything is delivered, stopped and compared). Ctrl-C ends the
phase at hand: in the set-up all is over; live goes on with the end; the end is cut short. However
it goes, nothing is left running, and the folder is removed unless it is to be kept.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import pymysql

from arrivals import Arrivals
from children import (ROOT, Failed, Folder, MariaDb, Millstream, check_port, free_port,
                      process)
from generator import Generator
from leave import leave_running, stop_what_was_left
from live import LiveLine, ms
from summary import how_to_look, summarise
from website import Server, Site, serve
from writer import Counts, Writer

sys.path.append(str(ROOT / "tools" / "workshop"))
import build  # noqa: E402

CATCH_UP_SECONDS, IDLE_SECONDS = 120, 5
RATE, ADS = 200, 5000


# ---- signals ----

class Patience:
    """What signals do. Armed: the first one raises Stopped and disarms. Not armed, while things are
    stopped: patience is lost, and what does not end soon is killed."""

    def __init__(self):
        self.is_armed = self.is_lost = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def arm(self) -> None:
        if self.is_lost:  # it came between two phases
            raise process.Stopped(signal.SIGINT)
        self.is_armed = True

    def _on_signal(self, number: int, _frame) -> None:
        if self.is_armed:
            self.is_armed = False
            raise process.Stopped(number)
        self.is_lost = True


# ---- what is asked for ----

def _number(least: int, most: int):
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {least} to {most}")
        return value
    return read


def _folder(text: str) -> Path:
    """Relative to where the caller stands, not to where ./dev goes."""
    if not text:
        raise argparse.ArgumentTypeError("a folder's name is empty")
    return Path(os.path.abspath(Path(os.environ.get("MILLSTREAM_CALLER", "."), text)))


def read_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev demo", allow_abbrev=False,
        description="Sets up a classified-ads site on a MariaDB of its own and lets Millstream "
        "carry its changes to a read model, until Ctrl-C. Then compares everything.",
        epilog="Exit status: 0 when all that was compared is equal, 1 when not or when something "
        "failed, 2 for arguments that are not understood.")
    parser.add_argument("--seconds", type=_number(1, 864000), metavar="N",
                        help="end after N seconds of live writes, without anybody watching")
    parser.add_argument("--rate", type=_number(0, 10000), default=RATE, metavar="N",
                        help=f"changes a second ({RATE}); 0: only yours, in the personal area")
    parser.add_argument("--ads", type=_number(0, 1000000), default=ADS, metavar="N",
                        help=f"ads that are there before Millstream is started ({ADS:,})")
    parser.add_argument("--seed", type=_number(0, 2**63 - 1), default=1, metavar="N",
                        help="of the random ads and changes (1): the same seed, the same ads")
    parser.add_argument("--keep", type=_folder, metavar="DIR",
                        help="leave database, Millstream, site and data in DIR running, and say how "
                        "to look at them; a DIR that was kept before is gone on with")
    parser.add_argument("--no-servers", action="store_true",
                        help="with --keep: stop everything, leave only data and logs")
    parser.add_argument("--port", type=_number(1, 65534), metavar="N",
                        help="of the site; N + 1 is the console's (free ones are chosen)")
    parser.add_argument("--left", action="store_true", help=argparse.SUPPRESS)  # leave.py starts it
    parser.add_argument("-y", "--yes", action="store_true",
                        help="for scripts that say so: the demo asks no questions anyway")
    return parser.parse_args(words)


def say(text: str) -> None:
    print(f"demo     {text}", flush=True)


class Demo:
    def __init__(self, wanted: argparse.Namespace, patience: Patience):
        self.wanted, self.patience = wanted, patience
        self.counts = Counts()
        self.folder: Folder | None = None
        self.mariadb: MariaDb | None = None
        self.millstream: Millstream | None = None
        self.arrivals: Arrivals | None = None
        self.writer: Writer | None = None
        self.server: Server | None = None
        self.is_ended_well = False

    # ---- set-up ----

    def set_up(self) -> None:
        if self.wanted.port:
            check_port(self.wanted.port)
            check_port(self.wanted.port + 1)
        if self.wanted.keep and not self.wanted.left and stop_what_was_left(self.wanted.keep):
            say("stopped what an earlier demo had left running there")
        self.folder = Folder(self.wanted.keep)
        program = self._build()
        self._start_database()
        console = self.wanted.port + 1 if self.wanted.port else free_port()
        self.arrivals.start()
        self.millstream = Millstream(self.folder, program, console)
        self._start_millstream()
        site = Site(str(self.folder.socket), str(self.folder.model), f"http://127.0.0.1:{console}/",
                    self.arrivals, self.counts)
        log = open(self.folder.site_log, "a", buffering=1, encoding="utf-8")
        site.log = lambda text: print(text, file=log)
        self.server = serve(site, self.wanted.port or 0)
        self._tell_addresses(console)

    @staticmethod
    def _build() -> Path:
        if "MILLSTREAM_BINARY" in os.environ:
            return Path(os.environ["MILLSTREAM_BINARY"])
        say("building Millstream (the first time this takes a minute)")
        started = time.monotonic()
        build.compile_targets("release", "millstream")
        say(f"built it, {time.monotonic() - started:.1f} s")
        return build.program("release")

    def _start_database(self) -> None:
        started, folder = time.monotonic(), self.folder
        self.mariadb = MariaDb(folder)
        self.mariadb.start()
        say(f"started a MariaDB of our own, {time.monotonic() - started:.1f} s")
        started = time.monotonic()
        self.arrivals = Arrivals(str(folder.model))
        self.writer = Writer(str(folder.socket), self.arrivals, self.counts,
                             Generator(self.wanted.seed), self.wanted.rate)
        if folder.is_old:
            self.writer.resume()
            say(f"going on in {folder.root}, with {len(self.writer.generator.ads):,} ads")
            return
        self.mariadb.make_tables()
        self.writer.load(self.wanted.ads)
        folder.is_ready(self.wanted.seed)
        say(f"wrote {self.counts.total:,} rows, before Millstream is there, "
            f"{time.monotonic() - started:.1f} s")

    def _start_millstream(self) -> None:
        """Until it has caught up with what was written before."""
        started = time.monotonic()
        self.millstream.start()
        while self.arrivals.awaited:
            self._look_after()
            if time.monotonic() - started > CATCH_UP_SECONDS:
                raise Failed(f"Millstream has not caught up within {CATCH_UP_SECONDS} s",
                             self.folder.millstream_log)
            time.sleep(0.02)
        what = "caught up with the binlog" if self.counts.total else "goes on where it was"
        say(f"started Millstream, which {what}, {time.monotonic() - started:.1f} s")

    def _tell_addresses(self, console: int) -> None:
        site = f"http://127.0.0.1:{self.server.server_address[1]}/"
        rate = f"{self.wanted.rate:,} changes a second are written" if self.wanted.rate else \
            "Only you write"
        print(f"""
  main site       {site:<30} search the read model
  personal area   {site + 'mine':<30} publish, change and delete ads in the database
  console         {f'http://127.0.0.1:{console}/':<30} how Millstream is doing

  {rate}. {'Ctrl-C ends it' if not self.wanted.seconds else
           f'It ends after {self.wanted.seconds} s, or with Ctrl-C'}, and shows what came of it.
""", flush=True)

    # ---- live ----

    def _look_after(self) -> None:
        """Whoever should run does."""
        if not self.millstream.is_running():
            raise Failed("Millstream has ended", self.folder.millstream_log)
        if self.writer.failed or not self.mariadb.is_running():
            raise Failed(self.writer.failed or "MariaDB has ended", self.folder.mariadb / "log")

    def live(self, line: LiveLine) -> None:
        if self.wanted.rate:
            self.writer.start()
        end = time.monotonic() + self.wanted.seconds if self.wanted.seconds else float("inf")
        while (left := end - time.monotonic()) > 0:
            self._look_after()
            line.show(self.counts.total, self.millstream.status(), self.arrivals.minute())
            time.sleep(min(1.0, max(0.0, left)))

    # ---- the end ----

    def stop_writing(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        if self.writer:
            self.writer.stop()

    def _wait_for_the_rest(self) -> None:
        """Until all that was committed is seen to have arrived, or nothing more moves."""
        awaited, moved = self.arrivals.awaited, time.monotonic()
        while self.arrivals.awaited and time.monotonic() - moved < IDLE_SECONDS:
            self._look_after()
            time.sleep(0.02)
            if self.arrivals.awaited != awaited:
                awaited, moved = self.arrivals.awaited, time.monotonic()

    def finish(self) -> bool:
        """Everything is delivered and compared. True when all is equal."""
        self.stop_writing()
        self._wait_for_the_rest()
        arrived, unseen = self.arrivals.total.figures(), self.arrivals.awaited
        self.arrivals.stop()
        status = self.millstream.stop(self.patience)
        if status != 0:
            raise Failed(f"Millstream exits with {status}", self.folder.millstream_log)
        status = self.millstream.drain()
        if status != 0:
            raise Failed(f"`millstream run --until-end` exits with {status}",
                         self.folder.millstream_log)
        summary = summarise(self.folder, self.millstream, self.counts)
        if arrived["count"]:
            summary.line("live changes arrived", arrived["count"],
                         f"half of them within {ms(arrived['p50'])}, 99 of 100 within "
                         f"{ms(arrived['p99'])}, the slowest after {ms(arrived['most'])}"
                         + (f"; {unseen:,} more were not waited for" if unseen else ""))
        is_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(f"\n{summary.text(is_coloured)}\n", flush=True)
        print("Everything is equal." if summary.is_good else
              "NOT EQUAL: see above.", flush=True)
        return summary.is_good

    def clean_up(self, interrupted: bool) -> None:
        """Signals only hurry now. Each part is stopped, whatever befalls the others."""
        steps = [self.stop_writing]
        if self.arrivals:
            steps.append(self.arrivals.stop)
        if self.millstream:
            steps.append(lambda: self.millstream.stop(self.patience))
        if self.mariadb:
            steps.append(lambda: self.mariadb.stop(self.patience))
        if self.folder:
            steps.append(lambda: self.folder.leave(interrupted))
        for step in steps:
            try:
                step()
            except Exception as error:
                print(f"demo: while stopping: {error}", file=sys.stderr)


def complain(failed: Failed) -> None:
    print(f"\ndemo: {failed}", file=sys.stderr)
    if failed.log:
        print(f"the end of {failed.log.name}:\n" + process.tail(failed.log, 20), file=sys.stderr)


def play(demo: Demo, patience: Patience) -> int:
    """The phases. The signals are armed in each of them anew."""
    line = LiveLine()
    try:
        patience.arm()
        demo.set_up()
        line.begin()
        try:
            demo.live(line)
        except process.Stopped as stopped:
            if stopped.status != 128 + signal.SIGINT:
                raise
        patience.arm()
        line.end()
        say("stopping, delivering what is on its way, comparing")
        return 0 if demo.finish() else 1
    except process.Stopped as stopped:
        line.end()
        print(f"demo: stopped by {stopped}", file=sys.stderr)
        return stopped.status
    except build.BuildFailed as failed:
        complain(Failed(f"Millstream does not build:\n{failed}"))
    except (Failed, pymysql.Error, OSError) as failed:
        line.end()
        complain(failed if isinstance(failed, Failed) else Failed(f"{type(failed).__name__}: "
                                                                  f"{failed}"))
    return 1


def main(words: list[str]) -> int:
    wanted = read_arguments(words)
    sys.setswitchinterval(0.001)  # the threads that measure do not wait for those that write
    patience = Patience()
    demo = Demo(wanted, patience)
    status = 1
    try:
        try:
            status = play(demo, patience)
        finally:
            patience.is_armed = False
            demo.clean_up(interrupted=status > 128)
    except process.Stopped as stopped:  # between the two: nothing raises any more
        status = stopped.status
        demo.clean_up(interrupted=True)
    if wanted.keep and not wanted.left and demo.millstream and demo.folder.is_old:
        print("\n" + how_to_look(demo.folder.root, demo.millstream.program))
        if status > 1 or wanted.no_servers:
            print(f"Everything is stopped. To have it back: {ROOT}/dev demo --keep "
                  f"{demo.folder.root} --rate 0")
        else:
            print(leave_running(demo.folder.root, wanted.port))
    return status
