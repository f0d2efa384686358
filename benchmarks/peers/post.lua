-- wrk's requests: POST a file with headers, wrk ... URL -- FILE "Name: value" ...; the figures as one line of JSON.
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for place, given in ipairs(args) do
    if place == 1 then
      local file = assert(io.open(given, "rb"))
      wrk.body = file:read("*a")
      file:close()
    else
      local name, value = given:match("^(.-): (.*)$")
      wrk.headers[name] = value
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"calls": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
