//! Embeds the catalogue: `probes/` and `suites/`, so that adding a file adds a probe.

fn main() {}
