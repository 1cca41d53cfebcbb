-- Ends a run with one JSON line; wrk's own report has neither the 95th percentile nor the success share.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p95": %.3f, "p99": %.3f, "slowest": %.3f, ' ..
    '"statuses": %d, "timeouts": %d, "connects": %d, "reads": %d, "writes": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.timeout, errors.connect, errors.read, errors.write))
end
