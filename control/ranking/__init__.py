"""Which candidate is best, why, and what a name means. Pure: no clock, no network, no logging.

What is looked at: `subject` (a service and its host), `roles`.
Who may serve a role: `eligibility`, of `traits`. Who comes first: `preferences` make tiers,
`scoring` scores, of `presets`, `benchmarks` and `overlap`; `candidates` puts them in order.
`runs` make of what was benchmarked what counts now, each by its `quality`.
`demands` and `kinds` are roles and assets made ready to be compared by the thousand.
What a service is asked for: `offering`. What a name means: `resolution`. Who of several gets
a request: `picking`.
The same, told to people: `explaining`, of `questions`, `terms` and `whatif`; and the best for
a task: `matching`, with `reasons`.
"""
