-- SPDX-License-Identifier: MIT
-- For wrk: each connection asks about a hundred times a second; the result is one line of JSON.
function delay()
   return 10
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '{"requests": %d, "errors": %d, "p50": %.3f, "p99": %.3f, "max": %.3f}\n',
      summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
