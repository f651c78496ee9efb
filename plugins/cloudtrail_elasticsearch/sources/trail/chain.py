"""Proves with a trail's digests which log files of a window AWS delivered (ADR-0017)."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloudtrail_elasticsearch.core.coverage.findings import (
    Finding,
    FindingKind,
    ProofStatus,
    find_status,
    sort_findings,
)
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.sources.trail.coverage import Hole, Span, find_holes, is_due, span_to_cover
from cloudtrail_elasticsearch.sources.trail.digests import Digest
from cloudtrail_elasticsearch.sources.trail.layout import DigestKey, TrailName, TrailRoot
from cloudtrail_elasticsearch.sources.trail.signatures import PublicKeys
from cloudtrail_elasticsearch.sources.trail.window_digests import (
    DigestStore,
    ListedFile,
    VerifiedDigest,
    WindowDigests,
)


@dataclass(frozen=True, slots=True)
class ChainProof:
    """What the digests of a window prove, before any log file is read."""

    window: Window
    findings: tuple[Finding, ...]
    holes: tuple[Hole, ...]
    """The times that no digest covers; without any, every log file of the window is in `files`."""
    files: Mapping[str, ListedFile]
    """The log files of the window that digests list, by key."""
    trails: tuple[TrailName, ...]
    """The trails whose digests must cover the window."""
    digests: int
    """The number of digests with a valid signature."""

    @property
    def status(self) -> ProofStatus:
        """The status of the digests alone; the log files that are read can only make it worse."""
        return find_status(self.findings)


def prove_window(
    store: DigestStore,
    keys: PublicKeys,
    root: TrailRoot,
    window: Window,
    *,
    now: datetime,
    expected: Collection[TrailName] = (),
    reach: timedelta = timedelta(0),
) -> ChainProof:
    """Verify the digests that cover a window, and return the log files that they list.

    A window is a range of the minutes of delivery in the names of the log files. Every trail with a digest of the
    window, and every expected trail, must cover the whole window without a hole.

    :param now: a time before the store is asked; it decides only whether an absent digest is late or not due yet
    :param expected: trails that are known to validate log files; without digests of them, the window has a gap
    :param reach: the time before and after the window in which further digests are read, because they can list
        late log files of the window
    :raises LoaderError: the store or AWS cannot be asked
    """
    digests = WindowDigests(store, keys, root, window, reach)
    digests.read_all()
    chains = _find_chains(digests, window, expected)
    found = [
        (Hole(span, finding.kind), None if _is_explained(span, trail, chain, digests.absent) else finding)
        for trail, chain in sorted(chains.items())
        for span in find_holes(span_to_cover(window), (each.span for each in chain))
        for finding in (_explain_hole(span, trail, chain, now, is_expected=trail in expected, digests=digests),)
    ]
    if not chains:
        found.append(_explain_absence(digests, window, now))
    findings = {*digests.findings, *(finding for _, finding in found if finding is not None)}
    return ChainProof(
        window=window,
        findings=sort_findings(findings),
        holes=tuple(hole for hole, _ in found),
        files=digests.files,
        trails=tuple(sorted(chains)),
        digests=len(digests.verified),
    )


def _find_chains(
    digests: WindowDigests, window: Window, expected: Collection[TrailName]
) -> dict[TrailName, list[VerifiedDigest]]:
    """Return the digests of each trail that must cover the window, oldest first.

    Backfill digests are left out: they list late files of a time, and do not prove that it has no other files.
    """
    regular = [each for each in digests.verified.values() if not each.key.is_backfill]
    inside = Span(window.start, window.end)
    trails = {each.key.trail for each in regular if each.span.overlaps(inside)} | set(expected)
    return {
        trail: sorted((each for each in regular if each.key.trail == trail), key=lambda each: each.span)
        for trail in trails
    }


def _find_next(hole: Span, chain: Iterable[VerifiedDigest]) -> VerifiedDigest | None:
    return next((each for each in chain if each.start >= hole.end), None)


def _is_explained(
    hole: Span, trail: TrailName, chain: Iterable[VerifiedDigest], absent: Iterable[DigestKey]
) -> bool:
    """Return whether the finding about a missing or invalid digest already explains a hole."""
    following = _find_next(hole, chain)
    return any(
        key.trail == trail
        and not key.is_backfill
        and hole.start < key.end
        and (following is None or key.end <= following.start)
        for key in absent
    )


def _explain_hole(
    hole: Span,
    trail: TrailName,
    chain: Iterable[VerifiedDigest],
    now: datetime,
    *,
    is_expected: bool,
    digests: WindowDigests,
) -> Finding:
    about = f"no digest of the trail {trail.name} covers {hole}"
    following = _find_next(hole, chain)
    if following is None:
        if not is_due(hole, now):
            return Finding(FindingKind.NOT_SIGNED_YET, "", f"{about}: the next one is not due yet")
        reason = "logging or validation was stopped, or digests were removed"
    elif following.previous is None:
        if not is_expected and _is_first(following, digests):
            reason = (
                f"a chain begins with {following.key.key}, and the account has no earlier digest of this region, "
                f"so log file validation was off before"
            )
            return Finding(FindingKind.VALIDATION_OFF, "", f"{about}: {reason}")
        cause = "logging or validation was stopped before, or the trail was created then"
        reason = f"a chain begins with {following.key.key} ({cause})"
    else:
        reason = f"{following.key.key} continues {following.previous.key}, which does not cover it"
    return Finding(FindingKind.UNCOVERED, "", f"{about}: {reason}")


def _is_first(digest: VerifiedDigest, digests: WindowDigests) -> bool:
    """Return whether an account and region have no digest of a time before one that begins a chain."""
    if any(each.start < digest.start for each in digests.verified.values()):
        return False
    return not any(key.end < digest.key.end for key in itertools.chain(digests.absent, digests.list_region()))


def _explain_absence(digests: WindowDigests, window: Window, now: datetime) -> tuple[Hole, Finding | None]:
    """Return the hole that a window without any valid digest is, and the finding that explains it."""
    span = span_to_cover(window)
    if digests.absent:
        return Hole(span, FindingKind.UNCOVERED), None
    about = f"no digest covers {span}"
    later: dict[TrailName, DigestKey] = {}
    for key in digests.list_region():
        if key.end <= window.end:
            if not is_due(span, now):
                finding = Finding(FindingKind.NOT_SIGNED_YET, "", f"{about}: the next one is not due yet")
            else:
                reason = "there are earlier ones, so validation was stopped, or digests were removed"
                finding = Finding(FindingKind.UNCOVERED, "", f"{about}: {reason}")
            return Hole(span, finding.kind), finding
        if not key.is_backfill:
            first = later.get(key.trail, key)
            later[key.trail] = min(first, key, key=lambda each: (each.end, each.key))
    broken = sorted(key.key for key in later.values() if not _begins_chain(digests, key))
    if broken:
        reason = f"{about}: this is the first digest of its trail, but it does not begin a chain"
        return Hole(span, FindingKind.UNCOVERED), Finding(FindingKind.UNCOVERED, broken[0], reason)
    when = "at that time" if later else "at any time"
    reason = f"the account has no digests of this region {when}, so log file validation was off"
    return Hole(span, FindingKind.VALIDATION_OFF), Finding(FindingKind.VALIDATION_OFF, "", reason)


def _begins_chain(digests: WindowDigests, key: DigestKey) -> bool:
    digest = digests.read_digest(key)
    return isinstance(digest, Digest) and digest.previous is None
