-- wrk: one request over and over, its body from a file; what came of it, as a line of JSON.
-- Arguments: METHOD BODY_FILE ["Name: value" ...]. wrk itself counts every status over 399.

function init(args)
  wrk.method = args[1]
  local file = assert(io.open(args[2], "rb"))
  wrk.body = file:read("*a")
  file:close()
  for index = 3, #args do
    local name, value = args[index]:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"rate": %.3f, "p50": %.4f, "p90": %.4f, "p99": %.4f, "longest": %.4f, "errors": %d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3,
    latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3,
    latency.max / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status
  ))
end
