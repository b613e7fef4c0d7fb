from headrace.vllm.profile.measure import main

main()
