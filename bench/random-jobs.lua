-- Asks for one job after the other at random, so that nothing that is kept of the last ones is of use.
function init(arguments)
  newest, jobs = tonumber(arguments[1]), tonumber(arguments[2])
  math.randomseed(7)
end

function request()
  return wrk.format("GET", "/api/job/" .. (newest - math.random(0, jobs - 1)))
end
