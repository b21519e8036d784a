-- One submission of five scenarios after the other.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"branch_name":"main","scenarios":["smoke/scenario1","smoke/scenario2","smoke/scenario3","smoke/scenario4","smoke/scenario5"]}'
