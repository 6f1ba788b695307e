-- How healthy Argo CD shows an object of evaluator.nemo.dev; the order of questions is kstatus's, Flux' own.
-- Degraded ends a sync at once, so it is kept for what a person has to mend: an evaluator that is away is not.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "waiting for nemo-eval-operator to handle it"}
end

local condition = {}
for _, one in ipairs(status.conditions or {}) do
  if one.status == "True" then
    condition[one.type] = one
  end
end

-- An annotation leaves the generation as it is: the verdict is the last attempt's until the next one starts.
local rerun = (obj.metadata.annotations or {})["evaluator.nemo.dev/rerun"]
if (condition.Complete or condition.Failed) and rerun and rerun ~= status.rerun then
  return {status = "Progressing", message = "waiting for nemo-eval-operator to run it again"}
end

local function health(name, told_by)
  return {status = name, message = told_by.reason .. ": " .. told_by.message}
end

if condition.Reconciling then
  return health("Progressing", condition.Reconciling)
elseif condition.Stalled then
  return health("Degraded", condition.Stalled)
elseif condition.Suspended then
  return health("Suspended", condition.Suspended)
elseif condition.Ready then
  return health("Healthy", condition.Ready)
end
return {status = "Progressing", message = "not ready yet"}
