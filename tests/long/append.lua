-- wrk: each request appends EVENTS events (1 unless given) with ids of their own to one of a thousand streams.
--
--     wrk … -s append.lua ADDRESS -- EVENTS RUN
--
-- RUN is a text that no other run of the same store has.

local threads = 0

function setup(thread)
   thread:set("thread", threads)
   threads = threads + 1
end

function init(args)
   events = tonumber(args[1] or "1")
   run = args[2] or tostring(os.time())
   sent = 0
   headers = { ["content-type"] = "application/json" }
end

local function event(number, account)
   return string.format(
      '{"id":"%s-%d-%d","type":"CashDeposited","time":"1996-05-14T00:00:00Z","data":{"transactionId":"%d",'
         .. '"accountId":"%d","amount":%d.5,"currency":"CZK","balance":%d.5}}',
      run, thread, number, number, account, number % 90000, number % 7000000)
end

function request()
   local account = (sent * 7919 + thread) % 1000
   local body
   if events == 1 then
      body = event(sent, account)
   else
      local all = {}
      for nth = 1, events do
         all[nth] = event(sent * events + nth, account)
      end
      body = "[" .. table.concat(all, ",") .. "]"
   end
   sent = sent + 1
   return wrk.format("POST", "/streams/account-" .. account, headers, body)
end
