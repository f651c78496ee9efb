// The words of the pages for sources and proofs.
export const SOURCES = {
  lookup_events: { name: "LookupEvents", short: "LookupEvents" },
  lookup_insights: { name: "Insights", short: "Insights" },
  trail: { name: "Trail", short: "trail" },
};

export const PROOFS = {
  signed: "Proven by AWS's digests: these are exactly the log files that AWS delivered, unchanged.",
  unsigned: "Not proven: the trail's log file validation was off, so there are no digests.",
  pending: "Not proven yet: the digests of the last log files are not due. A later run verifies them.",
  gap: "Not proven: no digest covers some of this day's time, or a log file could not be read completely. All events that could be read are loaded.",
  invalid: "Disproven: a digest or a log file was altered, removed or added. All events that could be read are loaded.",
};
