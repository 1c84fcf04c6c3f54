-- Posts the bodies of a file, one a line, in turn; prints its summary as one line of JSON.
local bodies = {}
local next_body = 0

function init(args)
   local file = args[1]
   for line in io.lines(file) do
      bodies[#bodies + 1] = wrk.format("POST", nil, {["Content-Type"] = "application/json"}, line)
   end
end

function request()
   next_body = next_body % #bodies + 1
   return bodies[next_body]
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format(
      'RESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      e.connect + e.read + e.write + e.status + e.timeout))
end
