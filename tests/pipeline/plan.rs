//! The memory plan of random networks: nothing writes where a value lies that is still wanted.

use crate::arbitrary::networks;
use cnnc::memory::view::View;
use cnnc::memory::{Key, plan};
use cnnc::passes::{self, PassOptions};
use cnnc::schedule::schedule;
use cnnc_ir::{Layout, Value};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// Addresses of all elements of a view, of the padding channels as well.
fn addresses(view: &View) -> HashSet<u64> {
    let mut extents: Vec<u64> = view.dims.iter().map(|d| d.upper()).collect();
    if let Layout::Blocked { block, .. } = view.layout {
        extents[1] = extents[1].div_ceil(block.into());
        extents.push(block.into());
    }
    let mut addresses = vec![view.offset];
    for (extent, stride) in extents.into_iter().zip(&view.strides) {
        let stride = *stride as u64 * view.dtype.size() as u64;
        addresses = addresses
            .iter()
            .flat_map(|a| (0..extent).map(move |i| a + i * stride))
            .collect();
    }
    addresses.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn nothing_overwrites_what_is_still_wanted(network in networks()) {
        let mut graph = network.0;
        passes::run(&mut graph, &PassOptions::default()).expect("the passes run");
        let schedule = schedule(&graph);
        let plan = plan(&schedule, &[], 1 << 30).expect("small networks");
        prop_assert!(plan.arena_bytes >= plan.lower_bound);

        let key = |value| Key { block: schedule.id, value };
        let times: HashMap<_, _> = schedule.steps.iter().map(|s| (s.node, s.start)).collect();
        let last_use = |v: Value| match graph.is_output(v) {
            true => u32::MAX,
            false => graph.users(v).iter().filter_map(|(user, _)| times.get(user).copied()).max().unwrap_or(0),
        };
        // What has been written, where it lies, and until when it is wanted.
        let mut written: Vec<(Value, HashSet<u64>, u32)> = Vec::new();
        let inputs = graph.inputs().iter().map(|&id| (id, 0));
        for (node, time) in inputs.chain(schedule.steps.iter().map(|s| (s.node, s.start))) {
            written.retain(|(_, _, until)| *until >= time);
            for slot in 0..graph.node(node).outputs.len() as u32 {
                let value = Value { node, slot };
                let view = plan.view(key(value)).expect("a place");
                let own = addresses(view);
                prop_assert!(own.iter().all(|a| a + view.dtype.size() as u64 <= plan.arena_bytes));
                for (other, theirs, _) in &written {
                    prop_assert!(
                        plan.is_part(key(value), key(*other)) || own.is_disjoint(theirs),
                        "%{} overwrites %{}\n{graph}\n{}", graph.value_name(value), graph.value_name(*other), plan.print()
                    );
                }
                written.push((value, own, last_use(value)));
            }
        }
    }
}
