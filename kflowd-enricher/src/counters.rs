//! The enricher's part of the ledger, and the ledger as the self record shows it.
//!
//! For each stage: `In` = `Out` + each `Lost<Reason>` + what the stage still holds. `Enricher` keeps process and
//! ledger records and payload for itself (`Kept`); they give no message. Its `In` counts the frames, and the records
//! (`Further`) of flows whose application messages do not fit into one. `Messages` are these: `Kept` waits for a record.
//!
//! The probe's numbers cover the whole run. Those of the enricher begin at zero in each enricher process.

use kflowd_proto::layout::Ledger;

use crate::app::MessageCounts;

/// What the stages of this process counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames taken.
    pub taken: u64,
    /// Messages made.
    pub messages: u64,
    /// Of these: further ones of flows, without a frame of their own.
    pub further: u64,
    /// Frames that were for the enricher itself.
    pub kept: u64,
    /// Frames that are no record.
    pub malformed: u64,
    /// Records of a kind that this version does not know.
    pub unknown: u64,
}

/// What one sink counted, in messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// UDP: the server as the user wrote it.
    pub server: Option<String>,
    /// Handed to the sink.
    pub taken: u64,
    /// Written.
    pub written: u64,
    /// The sink refused them.
    pub failed: u64,
    /// The sink had no room.
    pub full: u64,
}

/// One stage of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Key in the self record.
    pub name: &'static str,
    /// For UDP.
    pub server: Option<String>,
    /// Name and count, in print order.
    pub counters: Vec<(&'static str, u64)>,
}

/// All stages in data order, from the probe's last ledger and what this process counted.
/// `messages` is what became of application messages, and how many wait.
pub fn stages(
    ledger: &Ledger,
    since_ledger: u64,
    own: &Counts,
    messages: (MessageCounts, u64),
    sinks: &[SinkCounts],
) -> Vec<Stage> {
    let mut stages = probe(ledger, since_ledger);
    stages.push(Stage {
        name: "Enricher",
        server: None,
        counters: vec![
            ("In", own.taken + own.further),
            ("Out", own.messages),
            ("Kept", own.kept),
            ("LostMalformed", own.malformed),
            ("LostUnknown", own.unknown),
            ("Further", own.further),
        ],
    });
    let (messages, waiting) = messages;
    stages.push(Stage {
        name: "Messages",
        server: None,
        counters: vec![
            ("In", messages.found),
            ("Out", messages.written),
            ("Kept", waiting),
            ("LostNoRecord", messages.no_record),
        ],
    });
    stages.extend(sinks.iter().map(|sink| Stage {
        name: if sink.server.is_some() { "Udp" } else { "Stdout" },
        server: sink.server.clone(),
        counters: vec![
            ("In", sink.taken),
            ("Out", sink.written),
            ("LostSinkFailed", sink.failed),
            ("LostSinkFull", sink.full),
        ],
    }));
    stages
}

/// Kernel, ring and queue. Frames come in order, so all that the ledger counts as pushed were taken before it.
fn probe(ledger: &Ledger, since_ledger: u64) -> Vec<Stage> {
    let kernel = &ledger.kernel;
    let taken = ledger.queue_pushed + since_ledger;
    // Records that are one event each.
    let ring_full = kernel.process_ring + kernel.payload_ring;
    let stage = |name, counters| Stage { name, server: None, counters };
    vec![
        stage(
            "Kernel",
            vec![
                (
                    "In",
                    kernel.file_events
                        + kernel.process_events
                        + kernel.flow_events
                        + kernel.payload_events
                        + ledger.missed,
                ),
                (
                    "Out",
                    kernel.file_events_sent
                        + kernel.process_records
                        + kernel.flow_events_sent
                        + kernel.payload_records,
                ),
                ("LostMapFull", kernel.file_events_map + kernel.flow_events_map),
                ("LostRingFull", kernel.file_events_ring + ring_full + kernel.flow_events_ring),
                ("LostFault", kernel.payload_fault),
                ("LostScratchBusy", kernel.scratch_busy),
                ("LostMissed", ledger.missed),
                ("ProcessMapFull", kernel.process_map),
                ("PathCut", kernel.path_cut),
                ("SessionsOpened", kernel.sessions_open),
                ("SessionsClosed", kernel.sessions_closed),
                ("FlowsOpened", kernel.flows_open),
                ("FlowsClosed", kernel.flows_closed),
            ],
        ),
        stage(
            "Ring",
            vec![
                (
                    "In",
                    kernel.file_records
                        + kernel.file_records_ring
                        + kernel.flow_records
                        + kernel.flow_records_ring
                        + kernel.process_records
                        + kernel.payload_records
                        + ring_full,
                ),
                ("Out", ledger.ring_read),
                ("LostRingFull", kernel.file_records_ring + kernel.flow_records_ring + ring_full),
                ("LostMalformed", ledger.ring_malformed),
            ],
        ),
        stage(
            "Queue",
            vec![
                ("In", taken + ledger.queue_refused + ledger.queue_full),
                ("Out", taken),
                ("LostBulkRefused", ledger.queue_refused),
                ("LostQueueFull", ledger.queue_full),
                ("CursorBad", ledger.cursor_bad),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_close() {
        let ledger = Ledger { queue_pushed: 10, queue_refused: 2, missed: 1, ..Ledger::default() };
        let own = Counts { taken: 13, messages: 10, further: 1, kept: 2, malformed: 1, unknown: 1 };
        let messages = (MessageCounts { found: 7, written: 4, no_record: 1 }, 2);
        let sink = SinkCounts { server: Some("a:1".into()), taken: 9, written: 6, failed: 2, full: 1 };
        let stages = stages(&ledger, 3, &own, messages, &[sink]);
        let names: Vec<_> = stages.iter().map(|stage| stage.name).collect();
        assert_eq!(names, ["Kernel", "Ring", "Queue", "Enricher", "Messages", "Udp"]);
        for stage in stages {
            let of = |prefix: &str| -> u64 {
                stage.counters.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, n)| n).sum()
            };
            assert_eq!(of("In"), of("Out") + of("Kept") + of("Lost"), "{}", stage.name);
        }
    }
}
