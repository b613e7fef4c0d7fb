"""One file per policy, named as the policy is: a new file here is a new policy."""
