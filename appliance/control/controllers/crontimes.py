"""Pure reckoning of a cron job: which time is due now, and when the next one comes.

`cronjobs.py` acts on it. Times are reckoned in the job's own zone, so that "at 3" stays at 3 when
clocks change.

Source: kubernetes `pkg/controller/cronjob/utils.go`.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from appliance.api import cron
from appliance.api.kinds.batch.cronjob import CronJob
from appliance.kit.clock import parse_rfc3339

_FIRST_LOOK = timedelta(minutes=2)


def zone_of(job: CronJob) -> tzinfo:
    """The zone that the schedule is meant in; UTC unless said."""
    return ZoneInfo(job.spec.timeZone) if job.spec.timeZone else UTC


def due(job: CronJob, now: float) -> datetime | None:
    """The last time that has come since the job was last made, or since the cron job was."""
    schedule, zone = cron.parse(job.spec.schedule), zone_of(job)
    since = job.status.lastScheduleTime or job.metadata.creationTimestamp or ""
    earliest = parse_rfc3339(since) if since else now
    limit = job.spec.startingDeadlineSeconds
    if limit is not None:
        earliest = max(earliest, now - limit)
    if schedule.every is not None:
        steps = int((now - earliest) // schedule.every.total_seconds())
        found = datetime.fromtimestamp(earliest, zone) + steps * schedule.every
        return found if steps > 0 else None
    return _last_between(schedule, datetime.fromtimestamp(earliest, zone), now)


def _last_between(schedule: cron.Schedule, earliest: datetime, now: float) -> datetime | None:
    """Look back from now, ever further: a year without a master must not cost a year of minutes."""
    end = datetime.fromtimestamp(now, earliest.tzinfo)
    look = _FIRST_LOOK
    while True:
        start = max(earliest, datetime.fromtimestamp(now - look.total_seconds(), earliest.tzinfo))
        last, moment = None, schedule.after(start)
        while moment is not None and moment.timestamp() <= end.timestamp():
            last, moment = moment, schedule.after(moment)
        if last is not None or start.timestamp() <= earliest.timestamp():
            return last
        look *= 4


def seconds_to_next(job: CronJob, now: float) -> float | None:
    """How long until the next time; None if there is none."""
    schedule, zone = cron.parse(job.spec.schedule), zone_of(job)
    start = now
    if schedule.every is not None and job.status.lastScheduleTime:
        start = max(
            parse_rfc3339(job.status.lastScheduleTime), now - schedule.every.total_seconds()
        )
    following = schedule.after(datetime.fromtimestamp(start, zone))
    return None if following is None else max(0.0, following.timestamp() - now)
